"""Prices the calls of runs."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, Optional

from keito.billing.cost import RunCost
from keito.billing.policy import BillingPolicy
from keito.metering import LLMCall, Usage
from keito.metering.text import readable
from keito.pricing import PricedCall, PriceTable, price

_log = logging.getLogger("keito.billing")

_UNCHARGED = PricedCall()
_TEXTS = ("provider", "requested_model", "served_model", "tier")


def add_call(cost: RunCost, call: LLMCall, policy: BillingPolicy) -> None:
    """Price one call by itself, at its own time, and add it up.

    What no call has, such as a negative count, is left out, and the call is counted as one without a price: it must not
    cost the run its bill.
    """
    known = sound(call)
    priced = price_of(known, policy.prices)
    if priced.amount is None and known.usage is not call.usage:
        priced = replace(priced, reason=_doubt(call.usage) or _doubt(known.usage) or priced.reason)
    cost.add(known, priced)


def price_of(call: LLMCall, table: Optional[PriceTable]) -> PricedCall:
    """The price of a sound call; where pricing fails, the reason says so."""
    if not call.chargeable:
        return _UNCHARGED
    try:
        return price(call, table)
    except Exception as error:
        _log.exception("A call of %s could not be priced", call.model)
        return PricedCall(reason=f"pricing failed ({type(error).__name__})")


def sound(call: LLMCall) -> LLMCall:
    """The call with texts that can be posted and counts that can be added; itself, if it has such already."""
    changed: dict[str, Any] = {}
    for name in _TEXTS:
        text = getattr(call, name)
        if text is not None and not (type(text) is str and text.isascii()):
            changed[name] = readable(text)
    usage = _counted(call.usage)
    if usage is not call.usage:
        changed["usage"] = usage
    return replace(call, **changed) if changed else call


def _counted(usage: Any) -> Optional[Usage]:
    return usage.countable if isinstance(usage, Usage) else None


def _doubt(usage: Any) -> Optional[str]:
    """What is wrong with a usage that is not sound; nothing where its numbers were of another type only."""
    try:
        problem: Optional[str] = usage.problem
    except Exception:  # its counts cannot even be compared, or it is none
        return "impossible token count"
    return problem
