"""How long a run took."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Optional

QUARTER_NS = 900 * 10**9
"""A quarter of an hour. In every time zone of today, midnight is at one of these steps of UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def epoch_ns(moment: datetime) -> int:
    """Nanoseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


class Stopwatch:
    """Measures a run by a clock that nobody sets, and knows which parts of it somebody else pays for.

    Parts that are billed elsewhere may overlap: a second counts as away once. What is kept of them is one number for
    each quarter of an hour, however many there are.

    Args:
        started_at: When the run began; now by default. Without a time zone it is the machine's.
    """

    def __init__(self, started_at: Optional[datetime] = None) -> None:
        # With the machine's own offset, so that the day of the run stays the same wherever it is looked at.
        moment = started_at or datetime.now().astimezone()
        self.started_at = moment if moment.tzinfo is not None else moment.astimezone()
        self._began = time.perf_counter_ns()
        self._took: Optional[int] = None
        self._away: dict[int, int] = {}
        self._others = 0
        self._left_at = 0

    @property
    def elapsed_ns(self) -> int:
        """From the start to the end, or until now, in nanoseconds."""
        return time.perf_counter_ns() - self._began if self._took is None else self._took

    @property
    def active_ns(self) -> int:
        """`elapsed_ns` without the parts that are billed elsewhere."""
        now = self.elapsed_ns
        return max(0, now - sum(self._away.values()) - (now - self._left_at if self._others else 0))

    @property
    def away(self) -> Mapping[int, int]:
        """Nanoseconds that are billed elsewhere, by the quarter of an hour since 1970 in which they fall."""
        return self._away

    @property
    def left_at(self) -> Optional[int]:
        """After how many nanoseconds the part began that is billed elsewhere; `None` while there is none."""
        return self._left_at if self._others else None

    def resume(self, away: Mapping[int, int], left_at: Optional[int]) -> None:
        """Go on with the parts that another watch knew."""
        self._away.update(away)
        if left_at is not None:
            self._left_at, self._others = left_at, 1

    def stop(self, elapsed_ns: Optional[int] = None) -> None:
        """Stop for good, after `elapsed_ns` if that is known better than by this clock."""
        took = self.elapsed_ns if elapsed_ns is None else max(0, elapsed_ns)
        if self._others:
            self._mark(self._left_at, took)
            self._others = 0
        self._took = took

    def leave(self) -> None:
        """A part begins that is billed elsewhere."""
        if self._took is None:
            self._left_at = self._left_at if self._others else self.elapsed_ns
            self._others += 1

    def come_back(self) -> None:
        """A part that is billed elsewhere has ended."""
        if self._took is None and self._others:
            self._others -= 1
            if not self._others:
                self._mark(self._left_at, self.elapsed_ns)

    def _mark(self, start: int, end: int) -> None:
        base = epoch_ns(self.started_at)
        at, until = base + start, base + max(start, end)
        while at < until:
            quarter = at // QUARTER_NS
            stop = min(until, (quarter + 1) * QUARTER_NS)
            self._away[quarter] = self._away.get(quarter, 0) + stop - at
            at = stop
