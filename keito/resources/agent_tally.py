"""Sums over the time entries of agents: hours, outcomes, and what both are worth."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any

from keito.types.report import AgentOutcomes, AgentRevenue, AgentTime
from keito.types.time_entry import TimeEntry

_NOTHING = Decimal(0)

_EXACT = Context(prec=1000)
"""Rounds nothing: a product of two doubles ends within 650 digits behind the point."""

_IMPOSSIBLE = Decimal(10**12)
"""Amounts from here on are mistakes; one of them must not spoil the sum of everything else."""


def outcome_of(entry: TimeEntry) -> Mapping[str, Any] | None:
    """The metadata of an outcome, which the API keeps as a time entry with 0 hours; `None` where it is none."""
    metadata = entry.metadata or {}
    is_outcome = entry.hours == 0 and not entry.is_running and metadata.get("outcome_type")
    return metadata if is_outcome else None


class _Money:
    """Amounts by currency; different ones are never added up."""

    def __init__(self) -> None:
        self.revenues: dict[str, Decimal] = {}
        self.unpriced = 0

    def add(self, price: Decimal | None, times: Decimal | None, currency: str | None) -> bool:
        """Add a product; whether it is known."""
        if price is None or times is None or currency is None:
            self.unpriced += 1
            return False
        self.revenues[currency] = _EXACT.fma(price, times, self.revenues.get(currency, _NOTHING))
        return True

    def and_other(self, other: _Money) -> _Money:
        """Both together."""
        both = _Money()
        both.unpriced = self.unpriced + other.unpriced
        for currency in {**self.revenues, **other.revenues}:
            parts = (money.revenues.get(currency, _NOTHING) for money in (self, other))
            both.revenues[currency] = _EXACT.add(*parts)
        return both

    @property
    def revenue(self) -> Decimal | None:
        """The amount, if it is in one currency. Nothing is 0 only where nothing is unknown."""
        if not self.revenues:
            return None if self.unpriced else _NOTHING
        return next(iter(self.revenues.values())) if len(self.revenues) == 1 else None


class AgentTally:
    """Counts entries, one by one."""

    def __init__(self) -> None:
        self._hours = self._billable_hours = self._unpriced_hours = self._quantity = _NOTHING
        self._unmeasured = self._outcomes = self._successful = self._failed = 0
        self._time, self._results = _Money(), _Money()

    def add(self, entry: TimeEntry, currency: str | None) -> None:
        """Count a time entry or an outcome, whose amounts are in `currency`."""
        outcome = outcome_of(entry)
        if outcome is None:
            self._add_time(entry, currency)
        else:
            self._add_outcome(outcome, entry.billable, currency)

    def _add_time(self, entry: TimeEntry, currency: str | None) -> None:
        hours = None if entry.is_running else _number(entry.hours)
        if hours is None:
            self._unmeasured += 1
            return
        self._hours = _EXACT.add(self._hours, hours)
        if entry.billable:
            self._billable_hours = _EXACT.add(self._billable_hours, hours)
        if hours == 0 or entry.billable is False:
            return  # worth nothing, whatever the rate is
        rate = _number(entry.billable_rate) if entry.billable else None
        if not self._time.add(rate, hours, currency):
            self._unpriced_hours = _EXACT.add(self._unpriced_hours, hours)

    def _add_outcome(self, outcome: Mapping[str, Any], billable: bool | None, currency: str | None) -> None:
        self._outcomes += 1
        success = outcome.get("outcome_success")
        if success is False:
            self._failed += 1
            return
        quantity = _number(outcome.get("outcome_quantity", 1))
        if success is True:
            self._successful += 1
            self._quantity = _EXACT.add(self._quantity, quantity or _NOTHING)
        if billable is not False:
            is_sold = success is True and billable is True
            self._results.add(_number(outcome.get("outcome_unit_price")) if is_sold else None, quantity, currency)

    def totals(self) -> dict[str, Any]:
        """The fields of `AgentTotals`."""
        both = self._time.and_other(self._results)
        return {
            "time": AgentTime(
                total_hours=self._hours,
                billable_hours=self._billable_hours,
                revenue=self._time.revenue,
                revenues=self._time.revenues,
                unpriced=self._time.unpriced,
                unpriced_hours=self._unpriced_hours,
                unmeasured=self._unmeasured,
            ),
            "outcomes": AgentOutcomes(
                total=self._outcomes,
                successful=self._successful,
                failed=self._failed,
                quantity=self._quantity,
                revenue=self._results.revenue,
                revenues=self._results.revenues,
                unpriced=self._results.unpriced,
            ),
            "combined": AgentRevenue(total_revenue=both.revenue, revenues=both.revenues, unpriced=both.unpriced),
        }


def _number(value: object) -> Decimal | None:
    """A number as it was written in the JSON; `None` where it is none, or none that can be meant."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = Decimal(value) if isinstance(value, int) else Decimal(repr(value))  # 0.1 is 0.1, not the double beside it
    return number if number.is_finite() and 0 <= number < _IMPOSSIBLE else None
