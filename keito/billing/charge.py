"""From what calls cost to what the client is charged: exchange rate, markup, precision."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Optional

from keito.billing.rounding import at_least_a_step
from keito.metering.by_hand import EXACT
from keito.pricing import Converted, ExchangeRate, ExchangeRateError, convert, mark_up

if TYPE_CHECKING:
    from keito.billing.policy import BillingPolicy

_log = logging.getLogger("keito.billing")

DOLLARS = "USD"

_SMALLEST = -50
"""Power of ten of amounts that are written with an exponent."""


@dataclass(frozen=True)
class Charge:
    """What the client is charged, and how it came to be.

    Attributes:
        amount: Exact, with markup, in `currency`; not rounded.
        currency: ISO code; that of the costs, where nothing was converted.
        cost: The same without markup.
        factor: The markup, such as 1.20.
        conversions: One for each currency that had to be converted.
        currencies: Those of the costs.
    """

    amount: Decimal
    currency: str
    cost: Decimal
    factor: Decimal
    conversions: tuple[Converted, ...] = ()
    currencies: Collection[str] = ()


def charges_for(amounts: Mapping[str, Decimal], policy: BillingPolicy, day: date) -> list[Charge]:
    """The charges for costs in any currencies on a day, one for each currency that is posted: they cannot be added."""
    parts = [_convert(amount, currency, policy, day) for currency, amount in sorted(amounts.items()) if amount]
    posted_in: dict[str, list[Converted]] = {}
    for part in parts:
        if part is not None:
            posted_in.setdefault(part.currency, []).append(part)
    return [_charge(currency, found, policy) for currency, found in posted_in.items()]


def has_rates(amounts: Mapping[str, Decimal], policy: BillingPolicy, day: date) -> bool:
    """Whether all costs can be posted, because nothing is to be converted, or there is a rate for it."""
    return all(_convert(amount, currency, policy, day) for currency, amount in amounts.items() if amount)


def _charge(currency: str, parts: list[Converted], policy: BillingPolicy) -> Charge:
    total = Decimal(0)
    for part in parts:
        total = EXACT.add(total, part.amount)
    marked = mark_up(total, policy.markup_factor)
    changed = tuple(part for part in parts if part.currency != part.original_currency)
    return Charge(marked.amount, currency, total, marked.factor, changed, {part.original_currency for part in parts})


def _convert(amount: Decimal, currency: str, policy: BillingPolicy, day: date) -> Optional[Converted]:
    """An amount in the currency that is posted; `None` where the rate for that is not known."""
    if policy.exchange_rate is None:
        return Converted(amount, currency, amount, currency, Decimal(1), day)
    try:
        return convert(amount, policy.exchange_rate, day, currency)
    except ExchangeRateError as error:
        _log.warning("LLM cost not billed: %s", error)
        return None


def worth(amount: Decimal, currency: str, wanted: str, rate: Optional[ExchangeRate], day: date) -> Optional[Decimal]:
    """An amount in another currency, for limits; `None` where no rate is known. The rate serves in both directions."""
    if currency == wanted:
        return amount
    if rate is None or {currency, wanted} != {rate.base, rate.currency}:
        return None
    try:
        of_one = rate.on(day)
    except ExchangeRateError:
        return None
    return EXACT.multiply(amount, of_one) if wanted == rate.currency else EXACT.divide(amount, of_one)


def posted(amount: Decimal, decimals: int = 6) -> Decimal:
    """`amount` to so many decimals, half up. What would become 0 is posted to a millionth, and never as 0."""
    rounded = amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return rounded if rounded or not amount else at_least_a_step(amount)


def charge_facts(charge: Charge, *, is_one_of_several: bool = False) -> dict[str, Any]:
    """How the charge came to be, for the metadata. Amounts are text: they are exact."""
    facts: dict[str, Any] = {}
    if charge.currency != DOLLARS or is_one_of_several:
        facts["currency"] = charge.currency
    if charge.conversions:
        facts["exchange"] = [
            {"from": part.original_currency, "rate": exact_text(part.rate), "day": part.day.isoformat()}
            for part in charge.conversions
        ]
    if charge.factor != 1:
        added = EXACT.subtract(charge.amount, charge.cost)
        facts["markup"] = {"factor": exact_text(charge.factor), "amount": exact_text(added)}
    if facts:
        facts["charge"] = exact_text(charge.amount)
    return facts


def exact_text(amount: Decimal) -> str:
    """An amount as text, with all its digits. What is hardly anything has an exponent, and not thousands of zeros."""
    exact = EXACT.normalize(amount)
    return format(exact, "f") if not exact or exact.adjusted() > _SMALLEST else str(exact)
