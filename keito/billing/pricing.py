"""Prices the calls of runs."""

from __future__ import annotations

import logging
from dataclasses import replace

from keito.billing.cost import RunCost
from keito.billing.policy import BillingPolicy
from keito.metering import LLMCall
from keito.pricing import PricedCall, price

_log = logging.getLogger("keito.billing")

_UNCHARGED = PricedCall()


def add_call(cost: RunCost, call: LLMCall, policy: BillingPolicy) -> None:
    """Price one call by itself, at its own time, and add it up.

    A call whose counts are no numbers is counted as one without a price: it must not cost the run its bill.
    """
    try:
        priced = price(call, policy.prices) if call.chargeable else _UNCHARGED
        cost.add(call, priced)
    except Exception as error:
        _log.exception("A call of %s could not be priced", call.model)
        reason = f"pricing failed ({type(error).__name__})"
        cost.add(replace(call, usage=None, no_usage=None), PricedCall(reason=reason))
