"""Bills what AI agents do: time, outcomes and LLM cost, without their authors thinking about it."""

from typing import TYPE_CHECKING, Any

from keito.billing.agent_billing import AgentBilling
from keito.billing.budget import Budget
from keito.billing.policy import BillingPolicy
from keito.billing.post import Post
from keito.billing.records import records_for
from keito.metering import Outcome

if TYPE_CHECKING:
    from keito.billing.exceeded import KeitoBudgetExceeded

__all__ = ["AgentBilling", "BillingPolicy", "Budget", "KeitoBudgetExceeded", "Outcome", "Post", "records_for"]


def __getattr__(name: str) -> Any:
    # With the SDK's errors comes httpx, which a fresh process pays for only once somebody asks for them.
    if name != "KeitoBudgetExceeded":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from keito.billing.exceeded import KeitoBudgetExceeded  # noqa: PLC0415

    return KeitoBudgetExceeded
