"""What stands between a cost and the amount that is posted: an exchange rate and a markup. Both stay visible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Union

from keito.pricing.rates import EXACT
from keito.pricing.table import checked_currency

RateOfDay = Callable[[date], Decimal]


class ExchangeRateError(ValueError):
    """There is no rate for that day, or it is no rate, or it is for another currency."""


@dataclass(frozen=True)
class ExchangeRate:
    """What one unit of `base` costs in `currency`, by the user's own word. keito fetches no rates.

    Args:
        currency: ISO code of the currency that is converted to.
        rate: A positive `Decimal`, or a function that gives one for a day.
        base: ISO code of the currency that is converted from.

    Raises:
        ValueError: A code or the rate is wrong. A float is: it is not exact.
    """

    currency: str
    rate: Union[Decimal, RateOfDay]
    base: str = "USD"

    def __post_init__(self) -> None:
        checked_currency(self.currency)
        checked_currency(self.base)
        if not callable(self.rate):
            _checked(self.rate, "rate", ExchangeRateError)

    def on(self, day: date) -> Decimal:
        """The rate of a day.

        Raises:
            ExchangeRateError: The user's function failed, or gave no positive `Decimal`.
        """
        if not callable(self.rate):
            return self.rate
        try:
            rate = self.rate(day)
        except Exception as error:
            raise ExchangeRateError(f"no rate from {self.base} to {self.currency} for {day}: {error!r}") from error
        return _checked(rate, f"rate for {day}", ExchangeRateError)


@dataclass(frozen=True)
class Converted:
    """An amount in another currency, and how it came to be.

    Attributes:
        amount: In `currency`; exact, not rounded.
        currency: ISO code.
        original: The amount before.
        original_currency: Its ISO code.
        rate: What one unit of the original currency cost.
        day: The day of that rate.
    """

    amount: Decimal
    currency: str
    original: Decimal
    original_currency: str
    rate: Decimal
    day: date


@dataclass(frozen=True)
class MarkedUp:
    """An amount with a markup.

    Attributes:
        amount: `cost` times `factor`; exact, not rounded.
        cost: The amount before.
        factor: Such as 1.20.
        markup: What was added: `amount` less `cost`.
    """

    amount: Decimal
    cost: Decimal
    factor: Decimal
    markup: Decimal


def convert(amount: Decimal, rate: ExchangeRate, day: date, currency: str = "USD") -> Converted:
    """An amount in the currency of `rate`. What is in that currency already stays as it is, at a rate of 1.

    Args:
        amount: What to convert.
        rate: The user's exchange rate.
        day: The day whose rate counts: that of the expense.
        currency: ISO code of `amount`, as `PricedCall.currency` gives it.

    Raises:
        ExchangeRateError: The rate is for another currency, or there is none for that day.
    """
    if currency not in (rate.base, rate.currency):
        raise ExchangeRateError(f"the rate is from {rate.base} to {rate.currency}; the amount is in {currency}")
    factor = Decimal(1) if currency == rate.currency else rate.on(day)
    return Converted(EXACT.multiply(amount, factor), rate.currency, amount, currency, factor, day)


def mark_up(cost: Decimal, factor: Decimal) -> MarkedUp:
    """An amount times a factor such as `Decimal("1.20")`, with what was added kept apart.

    Raises:
        ValueError: The factor is not a positive `Decimal`.
    """
    _checked(factor, "markup", ValueError)
    amount = EXACT.multiply(cost, factor)
    return MarkedUp(amount, cost, factor, EXACT.subtract(amount, cost))


def _checked(value: Any, name: str, error: type[ValueError]) -> Decimal:
    if not isinstance(value, Decimal):
        raise error(f"{name}: {value!r} is no Decimal; write Decimal('{value}')")
    if not value.is_finite() or value <= 0:
        raise error(f"{name}: {value} is not a positive number")
    return value
