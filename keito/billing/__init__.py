"""Bills what AI agents do: time, outcomes and LLM cost, without their authors thinking about it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from keito.billing.agent_billing import AgentBilling
from keito.billing.budget import Budget
from keito.billing.policy import BillingPolicy
from keito.billing.post import Post
from keito.billing.records import records_for
from keito.metering import Outcome

if TYPE_CHECKING:
    from keito.billing.corrections import Correction, CorrectionError
    from keito.billing.exceeded import KeitoBudgetExceeded

__all__ = [
    "AgentBilling",
    "BillingPolicy",
    "Budget",
    "Correction",
    "CorrectionError",
    "KeitoBudgetExceeded",
    "Outcome",
    "Post",
    "records_for",
]

_LAZY = {
    "Correction": "keito.billing.corrections",
    "CorrectionError": "keito.billing.corrections",
    "KeitoBudgetExceeded": "keito.billing.exceeded",
}
"""Rarely needed; and with the SDK's errors comes httpx, which a fresh process pays for only once it asks for them."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
