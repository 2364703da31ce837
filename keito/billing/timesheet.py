"""From the time of a run to the hours of days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Optional

from keito.billing.rounding import HOUR_NS, STEP, Rounding
from keito.metering import AgentRun
from keito.metering.stopwatch import QUARTER_NS, epoch_ns

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

MOST_HOURS = Decimal(24)
"""What Keito accepts in one time entry."""


@dataclass(frozen=True)
class WorkDay:
    """What a run worked on one calendar day.

    Attributes:
        day: The day, in the policy's time zone.
        nanoseconds: How long it worked.
        ended_ns: When its work on this day ended, in nanoseconds since 1970.
    """

    day: date
    nanoseconds: int
    ended_ns: int


@dataclass(frozen=True)
class Line:
    """One time entry to be posted.

    Attributes:
        day: Its `spent_date`.
        hours: Its hours, at most 24.
        nanoseconds: The exact time that it stands for, before rounding.
    """

    day: date
    hours: Decimal
    nanoseconds: int


def work_days(run: AgentRun, zone: Optional[tzinfo]) -> list[WorkDay]:
    """The time of an ended run by local calendar days: at least one, and none without time beside another.

    A day of 23 or 25 hours has that many. Without a zone the days are those of the offset that the machine's clock
    had when the run began.
    """
    start = epoch_ns(run.started_at)
    local = run.started_at.tzinfo if zone is None else zone
    days = list(_days(start, start + run.elapsed_ns, local, run.away_ns))
    worked = [day for day in days if day.nanoseconds > 0]
    return worked or [WorkDay(_local_day(start, local), 0, start + 1)]  # at midnight a day begins, and none ends


def _days(start: int, end: int, zone: Optional[tzinfo], away: Mapping[int, int]) -> Iterator[WorkDay]:
    at = start
    while at < end:
        day = _local_day(at, zone)
        until = min(end, max(_midnight_after(day, zone, end), at + 1))
        elsewhere = sum(ns for quarter, ns in away.items() if at <= max(quarter * QUARTER_NS, start) < until)
        yield WorkDay(day, until - at - elsewhere, until)
        at = until


def _local_day(at: int, zone: Optional[tzinfo]) -> date:
    return (_EPOCH + timedelta(microseconds=at // 1000)).astimezone(zone).date()


def _midnight_after(day: date, zone: Optional[tzinfo], otherwise: int) -> int:
    """The first moment of the next day. Where clocks skip midnight it is the moment of the skip."""
    try:
        following = day + timedelta(days=1)
        return epoch_ns(datetime(following.year, following.month, following.day, tzinfo=zone))
    except OverflowError:  # the calendar ends
        return otherwise


def lines_for(days: list[WorkDay], rounding: Rounding) -> list[Line]:
    """The time entries for these days. Their hours add up to the rounded time of all days together.

    What rounding adds belongs to the last day, where the work ended. What it takes away is taken from the last day,
    then from the one before. More than 24 hours on a day become several entries of that day.
    """
    exact = _by_day(days)
    missing = rounding.hours(sum(day.nanoseconds for day in days)) - sum((line.hours for line in exact), Decimal(0))
    lines = _spread(exact, missing)
    kept = [line for line in lines if line.hours > 0] or lines[-1:]
    return [part for line in kept for part in _at_most_24(line)]


def _by_day(days: list[WorkDay]) -> list[Line]:
    """Each day to a millionth of an hour, so that the sum is the rounded sum."""
    lines: list[Line] = []
    total, posted = 0, Decimal(0)
    for day in days:
        total += day.nanoseconds
        hours = (total / HOUR_NS).quantize(STEP, ROUND_HALF_UP) - posted
        posted += hours
        lines.append(Line(day.day, hours, day.nanoseconds))
    return lines


def _spread(lines: list[Line], missing: Decimal) -> list[Line]:
    """Add `missing` hours, which may be less than none, from the last line backwards."""
    changed: list[Line] = []
    for line in reversed(lines):
        hours = max(Decimal(0), line.hours + missing)
        missing -= hours - line.hours
        changed.insert(0, replace(line, hours=hours))
    return changed


def _at_most_24(line: Line) -> Iterator[Line]:
    """Pieces of at most 24 hours; the exact time is that of the first, where one is enough for it."""
    hours, left = line.hours, line.nanoseconds
    while hours > MOST_HOURS:
        took = min(left, int(MOST_HOURS * HOUR_NS))
        yield Line(line.day, MOST_HOURS, took)
        hours, left = hours - MOST_HOURS, left - took
    yield Line(line.day, hours, left)
