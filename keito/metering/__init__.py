"""What an agent's run did: its model calls, tokens and outcomes. No I/O, and no framework."""

from keito.metering.by_hand import OtherUsage
from keito.metering.call import LLMCall, NoUsage
from keito.metering.current import check_budget, current_run, log_outcome, record_llm_call
from keito.metering.outcome import Outcome
from keito.metering.run import AgentRun
from keito.metering.status import RunStatus
from keito.metering.usage import Usage

__all__ = [
    "AgentRun",
    "LLMCall",
    "NoUsage",
    "OtherUsage",
    "Outcome",
    "RunStatus",
    "Usage",
    "check_budget",
    "current_run",
    "log_outcome",
    "record_llm_call",
]
