"""Money and hours: exact sums, and numbers written as a JavaScript server writes them."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Optional, Union

from keito.sandbox.choices import MAX_HOURS, TIMER_HOURS_DIGITS
from keito.sandbox.settings import Rounding

CENT = Decimal("0.01")
QUARTER = Decimal("0.25")


def decimal(value: Union[float, int]) -> Decimal:
    """The number as it was written in the JSON, not as the binary fraction beside it."""
    return Decimal(repr(value))


def cents(value: Decimal) -> Decimal:
    """Rounded half up to two decimals."""
    return value.quantize(CENT, ROUND_HALF_UP)


def number(value: Union[Decimal, float, None]) -> Union[int, float, None]:
    """A JSON number; a whole one has no decimal point."""
    if value is None:
        return None
    value = float(value)
    return int(value) if value.is_integer() else value


def timer_hours(seconds: int) -> float:
    """The hours of a timer that ran so long."""
    step = Decimal(1).scaleb(-TIMER_HOURS_DIGITS)
    hours = (Decimal(seconds) / 3600).quantize(step, ROUND_HALF_UP)
    return float(min(hours, Decimal(MAX_HOURS)))


def rounded(hours: float, rounding: Rounding) -> float:
    """The hours that are stored under the workspace's rounding."""
    if rounding == "none":
        return hours
    quarters = (decimal(hours) / QUARTER).to_integral_value(ROUND_CEILING)
    return float(min(quarters * QUARTER, Decimal(MAX_HOURS)))


def seconds_of(hours: Optional[float]) -> int:
    """Hours as whole seconds."""
    return int((decimal(hours or 0) * 3600).to_integral_value(ROUND_HALF_UP))
