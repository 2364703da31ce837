"""What an agent's run did: its model calls, tokens and outcomes. No I/O, and no framework."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from keito.metering.by_hand import OtherUsage
from keito.metering.call import LLMCall, NoUsage
from keito.metering.current import check_budget, current_run, log_outcome, record_llm_call
from keito.metering.outcome import Outcome
from keito.metering.run import AgentRun
from keito.metering.status import RunStatus
from keito.metering.usage import Usage

if TYPE_CHECKING:
    from keito.metering.dialects import Report, report_of, usage_of
    from keito.metering.wrappers import meter

__all__ = [
    "AgentRun",
    "LLMCall",
    "NoUsage",
    "OtherUsage",
    "Outcome",
    "Report",
    "RunStatus",
    "Usage",
    "check_budget",
    "current_run",
    "log_outcome",
    "meter",
    "record_llm_call",
    "report_of",
    "usage_of",
]

_LAZY = {
    "Report": "keito.metering.dialects",
    "report_of": "keito.metering.dialects",
    "usage_of": "keito.metering.dialects",
    "meter": "keito.metering.wrappers",
}
"""Reading answers takes 20 modules, which a program without it need not load."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
