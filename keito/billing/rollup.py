"""Many small runs become one time entry and one expense of an hour or a day."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from decimal import Decimal
from typing import Optional

from keito.billing.cost import RunCost
from keito.billing.policy import BillingPolicy
from keito.billing.rollup_records import Carry, records_of
from keito.billing.share import shares_of
from keito.billing.window import Window, WindowKey, is_over
from keito.metering import AgentRun
from keito.outbox import BillingRecord
from keito.outbox.children import renew_in_children

_MOST_MEMBERS = 10_000
"""Runs' records in one window; a busier window is sent in several pieces."""

_log = logging.getLogger("keito.billing")

_MOST_WINDOWS = 1_000
"""Open windows; beyond it the oldest are sent early."""

_KNOWN_RUNS = 10_000
"""Runs by which a second addition of the same run is recognised."""


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Rollup:
    """The open windows of a billing, in memory. Thread-safe.

    A run's work goes into the window in which it ended; where midnight lies in between, each day's time goes into
    its own day. A window that is over is sent; what still comes for it, or after `close_windows`, becomes a further
    record of the same window. Each record of a run is in exactly one record of a rollup, which names it in `members`.

    Args:
        clock: Says what time it is.
        origin: Makes the keys of this rollup different from those of every other; drawn by default.
    """

    def __init__(self, clock: Callable[[], datetime] = _now, origin: Optional[str] = None) -> None:
        self._clock = clock
        self._origin = origin or uuid.uuid4().hex[:12]
        self._sequence = 0
        self.unbilled = 0  # windows of which no records could be made
        self._windows: dict[WindowKey, Window] = {}
        self._known: OrderedDict[str, None] = OrderedDict()
        self._carry: Carry = {}
        self._waiting: list[tuple[AgentRun, BillingPolicy, RunCost]] = []
        self._is_adding = False
        self._lock = threading.RLock()
        renew_in_children(self)

    @property
    def next_end(self) -> Optional[datetime]:
        """When the first of the open windows is over."""
        with self._lock:
            return min((key.end for key in self._windows), default=None)

    @property
    def carried(self) -> Decimal:
        """What roundings have left, in all currencies together: it is posted with the next expenses."""
        with self._lock:
            return sum(self._carry.values(), Decimal(0))

    def add(self, run: AgentRun, policy: BillingPolicy, cost: RunCost) -> list[BillingRecord]:
        """Add an ended run and what it used; answers the records of windows that are over by now."""
        with self._lock:
            self._waiting.append((run, policy, cost))
            if self._is_adding:
                return []  # the garbage collector ends a run in the midst of another addition, which goes on with it
            self._is_adding = True
            try:
                self._add_waiting()
                return self._emit(self._due())
            finally:
                self._is_adding = False

    def due(self) -> list[BillingRecord]:
        """The records of the windows that are over."""
        with self._lock:
            return self._emit(self._due())

    def close_windows(self) -> list[BillingRecord]:
        """The records of all windows. A window that is not over yet begins anew, and gives further records later."""
        with self._lock:
            self._add_waiting()
            return self._emit(list(self._windows.values()))

    def _add_waiting(self) -> None:
        while self._waiting:
            run, policy, cost = self._waiting.pop(0)
            if run.uid not in self._known:
                self._remember(run.uid)
                self._add(run, policy, cost)

    def _remember(self, uid: str) -> None:
        self._known[uid] = None
        if len(self._known) > _KNOWN_RUNS:
            self._known.popitem(last=False)

    def _add(self, run: AgentRun, policy: BillingPolicy, cost: RunCost) -> None:
        for share in shares_of(run, policy, cost):
            window = self._windows.get(share.window)
            if window is None:
                window = self._windows[share.window] = Window(share.window, policy, run.agent_id)
            share.add_to(window)

    def _due(self) -> list[Window]:
        now = self._clock()
        due = [key for key, window in self._windows.items() if is_over(key, now) or window.size >= _MOST_MEMBERS]
        others = [key for key in self._windows if key not in due]
        return [self._windows[key] for key in (*due, *others[: max(0, len(others) - _MOST_WINDOWS)])]

    def _emit(self, windows: Iterable[Window]) -> list[BillingRecord]:
        records: list[BillingRecord] = []
        for window in windows:
            del self._windows[window.key]
            name = f"{self._origin}-{window.key.name}-{self._sequence}"
            self._sequence += 1
            try:
                records += records_of(window, name, self._carry)
            except Exception:  # the other windows are good
                self.unbilled += 1
                _log.exception("Rollup %s cannot be billed", window.key.name)
        return records

    def start_anew(self) -> None:
        """Forget everything. In a forked child what is open is the parent's to send."""
        self._lock = threading.RLock()
        self._origin = uuid.uuid4().hex[:12]
        self._windows, self._carry, self._waiting, self._is_adding = {}, {}, [], False
