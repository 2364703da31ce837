"""The price of a model call: exact, with its origin, and never a guess."""

from __future__ import annotations

import logging
from decimal import Decimal

from keito.metering import LLMCall
from keito.pricing.priced import PricedCall
from keito.pricing.table import look_up

__all__ = ["PricedCall", "price"]

_log = logging.getLogger("keito.billing")


def price(call: LLMCall) -> PricedCall:
    """Price one model call at its own time, without network access.

    Prices go by single calls: rates may depend on a request's size, on the date and on the time of the day, so
    that the sum of a run's tokens has no price.

    Returns:
        The amount in US dollars, or the reason why it is not known. An unknown price is never 0; 0 is the price
        of what nobody charges for, such as an answer from a response cache.
    """
    if call.cached:
        return PricedCall(amount=Decimal(0), source="response cache")
    if call.reported_cost is not None:
        return PricedCall(amount=call.reported_cost, source="provider")
    usage = call.usage
    if usage is None or usage.total_tokens == 0:  # some providers count nothing and report zeros
        return PricedCall(reason="no usage")
    if usage.problem is not None:
        return PricedCall(reason=usage.problem)
    try:
        return look_up(call.provider, call.model, usage, call.started_at, call.tier)
    except Exception as error:  # the table is somebody else's code, and no reason to lose a bill
        _log.exception("genai-prices failed on %s %s", call.provider, call.model)
        return PricedCall(reason=f"genai-prices failed ({type(error).__name__})")
