"""From what calls cost to what the client is charged: exchange rate, markup, precision."""

from __future__ import annotations

import logging
from collections.abc import Mapping
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


@dataclass(frozen=True)
class Charge:
    """What the client is charged, and how it came to be.

    Attributes:
        amount: Exact, with markup, in `currency`; not rounded.
        currency: ISO code; that of the costs, where nothing was converted.
        cost: The same without markup.
        factor: The markup, such as 1.20.
        conversions: One for each currency that had to be converted.
        is_partial: Whether something is left out for which no exchange rate is known.
    """

    amount: Decimal
    currency: str
    cost: Decimal
    factor: Decimal
    conversions: tuple[Converted, ...] = ()
    is_partial: bool = False


def charge_for(amounts: Mapping[str, Decimal], policy: BillingPolicy, day: date) -> Optional[Charge]:
    """The charge for costs in any currencies on a day; `None` where there is nothing to charge."""
    found = {currency: _convert(amount, currency, amounts, policy, day) for currency, amount in amounts.items()}
    converted = [part for part in found.values() if part is not None]
    if not converted:
        return None
    total = Decimal(0)
    for part in converted:
        total = EXACT.add(total, part.amount)
    marked = mark_up(total, policy.markup_factor)
    changed = tuple(part for part in converted if part.currency != part.original_currency)
    return Charge(marked.amount, converted[0].currency, total, marked.factor, changed, None in found.values())


def _convert(
    amount: Decimal, currency: str, amounts: Mapping[str, Decimal], policy: BillingPolicy, day: date
) -> Optional[Converted]:
    """An amount in the currency that is posted; `None` where no rate is known."""
    if policy.exchange_rate is not None:
        try:
            return convert(amount, policy.exchange_rate, day, currency)
        except ExchangeRateError as error:
            _log.warning("LLM cost not billed: %s", error)
            return None
    if currency != DOLLARS and len(amounts) > 1:
        return None  # amounts in two currencies cannot be added
    return Converted(amount, currency, amount, currency, Decimal(1), day)


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


def charge_facts(charge: Charge) -> dict[str, Any]:
    """How the charge came to be, for the metadata. Amounts are text: they are exact."""
    facts: dict[str, Any] = {}
    if charge.currency != DOLLARS:
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
    """An amount as text, with all its digits."""
    return format(EXACT.normalize(amount), "f")
