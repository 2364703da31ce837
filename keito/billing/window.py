"""An hour or a day whose runs become one time entry and one expense."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Optional

from keito.billing.cost import RunCost
from keito.billing.policy import BillingPolicy
from keito.metering.stopwatch import epoch_ns

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class WindowKey:
    """Which work goes together: same place, same way of billing, same hour or day.

    Attributes:
        place: A digest of the policy's fields that make a difference to the records.
        start: When the window begins, in UTC.
        end: When it is over.
        day: Its `spent_date`.
        label: Its hours on the local clock; empty for a day.
    """

    place: str
    start: datetime
    end: datetime
    day: date
    label: str = ""

    @property
    def name(self) -> str:
        """The same text for the same window, wherever it is computed."""
        return f"{self.place}-{self.start:%Y%m%dT%H%MZ}"


@dataclass
class Window:
    """The work of an open window.

    Attributes:
        key: Which one it is.
        policy: What it is billed by.
        agent_id: Who worked.
        nanoseconds: The time of its runs; `True` for those that may be billable, `False` for the others.
        times: The keys of their time entries, likewise.
        untimed: The keys of time entries of 0 hours that only tell what supplements used.
        used: What all its runs used, whether they are charged for it or not.
        cost: What the runs cost that are charged for it.
        expenses: The keys of their expenses.
        statuses: How many runs ended how.
        flags: What the records of those runs would have said.
    """

    key: WindowKey
    policy: BillingPolicy
    agent_id: Optional[str] = None
    nanoseconds: dict[bool, int] = field(default_factory=dict[bool, int])
    times: dict[bool, list[str]] = field(default_factory=dict[bool, list[str]])
    untimed: list[str] = field(default_factory=list[str])
    used: RunCost = field(default_factory=RunCost)
    cost: RunCost = field(default_factory=RunCost)
    expenses: list[str] = field(default_factory=list[str])
    statuses: dict[str, int] = field(default_factory=dict[str, int])
    flags: set[str] = field(default_factory=set[str])

    @property
    def size(self) -> int:
        """How many records it stands for."""
        return len(self.expenses) + len(self.untimed) + sum(len(keys) for keys in self.times.values())

    def add_time(self, key: str, nanoseconds: int, *, billable: bool) -> None:
        """Add the time of one run on the window's day."""
        self.times.setdefault(billable, []).append(key)
        self.nanoseconds[billable] = self.nanoseconds.get(billable, 0) + nanoseconds

    def add_run(self, status: Optional[str], flags: Iterable[str], used: RunCost) -> None:
        """Add a run that ended in this window; without a status, a supplement to one."""
        if status is not None:
            self.statuses[status] = self.statuses.get(status, 0) + 1
        self.flags.update(flags)
        self.used.merge(used)

    def add_cost(self, key: str, cost: RunCost) -> None:
        """Add what one run is charged for."""
        self.cost.merge(cost)
        if any(cost.amounts.values()):
            self.expenses.append(key)


def window_of(policy: BillingPolicy, agent_id: Optional[str], at_ns: int, local: Optional[tzinfo]) -> WindowKey:
    """The window in which the work ended that ended just before this moment.

    Args:
        policy: What it is billed by.
        agent_id: Who worked.
        at_ns: The moment, in nanoseconds since 1970.
        local: The time zone of days and hours.
    """
    moment = (_EPOCH + timedelta(microseconds=max(0, at_ns - 1) // 1000)).astimezone(local)
    if policy.rollup == "hour":
        # Whole hours of the local clock, counted in UTC: the hour that autumn repeats is two windows.
        into = timedelta(minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
        start = moment.astimezone(timezone.utc) - into
        end = start + timedelta(hours=1)
        label = f"{start.astimezone(local):%H:%M}-{end.astimezone(local):%H:%M}"
        return WindowKey(_place(policy, agent_id), start, end, moment.date(), label)
    midnight = datetime(moment.year, moment.month, moment.day, tzinfo=local)
    following = datetime.combine(moment.date() + timedelta(days=1), time(), tzinfo=local)
    utc = timezone.utc
    return WindowKey(_place(policy, agent_id), midnight.astimezone(utc), following.astimezone(utc), moment.date())


def is_over(key: WindowKey, now: datetime) -> bool:
    """Whether nothing more can happen in a window."""
    return epoch_ns(now) >= epoch_ns(key.end)


def _place(policy: BillingPolicy, agent_id: Optional[str]) -> str:
    """A digest of what makes records different. The same on every machine: it is a part of their keys."""
    rate = policy.exchange_rate
    fixed = None if rate is None or callable(rate.rate) else str(rate.rate)
    parts = [
        *(policy.project_id, policy.task_id, policy.expense_category_id, policy.user_id, agent_id, policy.session_id),
        *(policy.billable, policy.timezone, policy.rollup, policy.rounding, str(policy.minimum_minutes)),
        *(policy.expense_per, policy.cost_decimals, str(policy.markup_factor), policy.notes),
        *(None if rate is None else f"{rate.base}-{rate.currency}", fixed),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
