"""Hours as a timesheet shows them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Union

_MINUTE_NS = 60 * 10**9
_MINUTES = (1, 5, 6, 10, 15, 30)

STEP = Decimal("0.000001")
"""Hours are posted to a millionth (3.6 ms), and costs to at most a millionth of the currency's unit."""

HOUR_NS = Decimal(3_600_000_000_000)


@dataclass(frozen=True)
class Rounding:
    """How the time of a run is rounded: as a whole, before it is divided by days.

    Args:
        mode: `none`, `up` or `nearest` (half a step and more go up).
        minutes: The step: 1, 5, 6, 10, 15 or 30.
        least_minutes: The least time that is posted for a run, however short it was.

    Raises:
        ValueError: A value is none of those.
    """

    mode: str = "none"
    minutes: int = 1
    least_minutes: Union[int, Decimal] = 0

    def __post_init__(self) -> None:
        if self.mode not in ("none", "up", "nearest") or self.minutes not in _MINUTES:
            raise ValueError
        least = Decimal(self.least_minutes)
        if not least.is_finite() or not 0 <= least <= 24 * 60:
            raise ValueError

    @classmethod
    def parse(cls, text: str, least_minutes: Union[int, Decimal] = 0) -> Rounding:
        """Read `none`, `up_15` or `nearest_6`, as Keito itself writes the rounding of a workspace.

        Raises:
            ValueError: It is nothing of the kind.
        """
        mode, _, minutes = text.partition("_")
        return cls(mode, int(minutes) if minutes or mode != "none" else 1, least_minutes)

    def hours(self, nanoseconds: int) -> Decimal:
        """The hours to post for a run of this length."""
        rounded = self._rounded(nanoseconds)
        least = Decimal(self.least_minutes) * _MINUTE_NS
        return to_hours(max(rounded, int(least)))

    def _rounded(self, nanoseconds: int) -> int:
        step = self.minutes * _MINUTE_NS
        if self.mode == "up":
            return -(-nanoseconds // step) * step
        if self.mode == "nearest":
            return (2 * nanoseconds + step) // (2 * step) * step
        return nanoseconds


def to_hours(nanoseconds: int) -> Decimal:
    """Hours to a millionth, half up; what is more than nothing never becomes 0."""
    return at_least_a_step(nanoseconds / HOUR_NS)


def at_least_a_step(amount: Decimal) -> Decimal:
    """`amount` to a millionth, half up; what is more than nothing never becomes 0."""
    rounded = amount.quantize(STEP, ROUND_HALF_UP)
    return STEP if not rounded and amount > 0 else rounded
