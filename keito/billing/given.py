"""The billing that an integration is given."""

from __future__ import annotations

from typing import Optional

from keito.billing.agent_billing import AgentBilling
from keito.billing.policy import PolicyFields


def billing_of(billing: Optional[AgentBilling], fields: PolicyFields) -> AgentBilling:
    """The billing that was given, or one that the fields and the environment describe.

    Raises:
        TypeError: It is no `AgentBilling`, or fields are given beside it, which nobody would read.
    """
    if billing is None:
        return AgentBilling(**fields)
    if fields:
        raise TypeError(f"give a billing or policy fields, not both: {', '.join(fields)}")
    if not isinstance(billing, AgentBilling):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"billing is a keito.billing.AgentBilling; got {type(billing).__qualname__}")
    return billing
