"""Bills what AI agents do: time, outcomes and LLM cost, without their authors thinking about it."""

from keito.billing.agent_billing import AgentBilling
from keito.billing.policy import BillingPolicy
from keito.billing.records import records_for
from keito.metering import Outcome

__all__ = ["AgentBilling", "BillingPolicy", "Outcome", "records_for"]
