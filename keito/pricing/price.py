"""The price of a model call: exact, with its origin, and never a guess."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from typing import Optional, Union

from keito.metering import LLMCall
from keito.metering.outcome import IMPOSSIBLE
from keito.pricing.kinds import unpriceable
from keito.pricing.listed import UNKNOWN, catalogue
from keito.pricing.priced import PricedCall
from keito.pricing.rates import RateSet
from keito.pricing.table import OWN_PRICES, PriceTable

NO_USAGE = "no usage"

_log = logging.getLogger("keito.billing")


def price(call: LLMCall, table: Optional[PriceTable] = None) -> PricedCall:
    """Price one model call at the time when it began, without network access.

    The first of these that knows the model decides: the user's own table, the cost that the provider reported,
    the genai-prices package. Prices go by single calls: rates may depend on a request's size, on the date and on
    the time of the day, so that the sum of a run's tokens has no price.

    Args:
        call: The call.
        table: The user's own prices.

    Returns:
        The amount in US dollars, or in the currency of the user's table if that priced the call; or the reason
        why it is not known. An unknown price is never 0; 0 is the price of what nobody charges for, such as an
        answer from a response cache or a model with a rate of 0 in the user's table.
    """
    if call.cached:
        return PricedCall(amount=Decimal(0), source="response cache")
    own = _own_price(call, table) if table is not None else None
    if own is not None:
        return own
    if call.reported_cost is not None:
        return _reported(call.reported_cost)
    return _priced(call, find_rates(call.provider, call.model, call.started_at, call.tier))


def find_rates(
    provider: Optional[str],
    model: Optional[str],
    at: datetime,
    tier: Optional[str] = None,
    table: Optional[PriceTable] = None,
) -> Union[RateSet, str]:
    """The rates of a model at a moment, or the reason why there are none.

    Args:
        provider: Who serves it, under any name; `None` when it is not known.
        model: Its name.
        at: The moment, with time zone.
        tier: The service tier, if any.
        table: The user's own prices, which come first.
    """
    own = table.rates(provider, [model], _aware(at), tier) if table is not None else None
    if own is not None or not model:
        return own or UNKNOWN
    try:
        found = catalogue().find(provider, model)
        return found if isinstance(found, str) else found.rates(_aware(at), tier)
    except ImportError:
        return "genai-prices not installed"
    except Exception as error:  # the table is somebody else's code, and no reason to lose a bill
        _log.exception("genai-prices failed on %s %s", provider, model)
        return f"genai-prices failed ({type(error).__name__})"


def _own_price(call: LLMCall, table: PriceTable) -> Optional[PricedCall]:
    """The price in the user's table; `None` when the table does not name the model, or there is nothing to count."""
    models = (call.served_model, call.requested_model)
    found = table.rates(call.provider, models, _aware(call.started_at), call.tier)
    if found is None or (_no_usage(call) and call.reported_cost is not None):
        return None
    priced = _priced(call, found)
    return priced if priced.source else replace(priced, source=OWN_PRICES, table_version=table.version)


def _priced(call: LLMCall, found: Union[RateSet, str]) -> PricedCall:
    """What the tokens cost by these rates. Where there are none, what is wrong with the tokens is said first."""
    usage = call.usage
    if usage is None or usage.total_tokens == 0:  # some providers count nothing and report zeros
        return PricedCall(reason=NO_USAGE)
    if isinstance(found, str):
        return PricedCall(reason=unpriceable(usage) or found)
    return found.price(usage)


def _reported(cost: Decimal) -> PricedCall:
    if not isinstance(cost, Decimal) or not cost.is_finite() or not 0 <= cost < IMPOSSIBLE:  # pyright: ignore[reportUnnecessaryIsInstance]
        return PricedCall(reason="the provider reported an impossible cost", source="provider")
    return PricedCall(amount=cost, source="provider")


def _no_usage(call: LLMCall) -> bool:
    return call.usage is None or call.usage.total_tokens == 0


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)
