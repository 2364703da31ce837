"""What comes after the end of runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Optional

from keito.metering import AgentRun
from keito.outbox.children import renew_in_children

_MOST_OPEN = 1_000
"""Open supplements; beyond it the oldest are billed early."""

_EARLY = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Supplements:
    """Collects what comes soon after the end of runs, so that one record bills it. Thread-safe.

    Only open ones are remembered: an ended run knows itself how long ago that was.

    Args:
        grace: Seconds after the end of a run in which its late events are collected.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._open: dict[str, tuple[AgentRun, datetime]] = {}
        self._is_closed = False
        self._lock = threading.RLock()
        renew_in_children(self)

    @property
    def next_end(self) -> Optional[datetime]:
        """When the first of them is to be billed."""
        with self._lock:
            return min((end for _, end in self._open.values()), default=None)

    def of(self, run: AgentRun, start: Callable[[], AgentRun]) -> Optional[AgentRun]:
        """The open supplement of an ended run, begun with `start` if there is none; `None` if it is too late."""
        left = self._grace - run.ended_for
        with self._lock:
            if run.uid in self._open:
                return self._open[run.uid][0]
            if self._is_closed or left <= 0:
                return None
            found = start()
            self._open[run.uid] = found, datetime.now(timezone.utc) + timedelta(seconds=left)
            if len(self._open) > _MOST_OPEN:
                oldest = next(uid for uid, (_, end) in self._open.items() if end != _EARLY)
                self._open[oldest] = self._open[oldest][0], _EARLY
            return found

    def take_due(self) -> list[AgentRun]:
        """Those whose time is over; they are forgotten here, and take nothing more."""
        now = datetime.now(timezone.utc)
        return self._take(lambda _uid, end: end <= now)

    def take(self, uid: str) -> list[AgentRun]:
        """The one to the run with this uid, if it is open."""
        return self._take(lambda of, _end: of == uid)

    def take_all(self, *, for_good: bool = False) -> list[AgentRun]:
        """All of them, however much time they have; `for_good`: none is begun any more."""
        with self._lock:
            self._is_closed = self._is_closed or for_good
            return self._take(lambda _uid, _end: True)

    def _take(self, is_due: Callable[[str, datetime], bool]) -> list[AgentRun]:
        with self._lock:
            due = {uid: run for uid, (run, end) in self._open.items() if is_due(uid, end)}
            for uid in due:
                del self._open[uid]
        for run in due.values():
            earlier = run.supplement_to
            assert earlier is not None
            run.end(earlier.status, elapsed_ns=earlier.elapsed_ns)  # the status decides what may be billed
        return list(due.values())

    def start_anew(self) -> None:
        """Forget everything. In a forked child what is open is the parent's to send."""
        self._lock = threading.RLock()
        self._open = {}
