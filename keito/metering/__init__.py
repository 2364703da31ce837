"""What an agent's run did: its model calls, tokens and outcomes. No I/O, and no framework."""

from keito.metering.call import LLMCall, NoUsage
from keito.metering.current import current_run, log_outcome
from keito.metering.outcome import Outcome
from keito.metering.run import AgentRun
from keito.metering.status import RunStatus
from keito.metering.usage import Usage

__all__ = ["AgentRun", "LLMCall", "NoUsage", "Outcome", "RunStatus", "Usage", "current_run", "log_outcome"]
