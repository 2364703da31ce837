"""How fast the API may be asked, learned from its refusals."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Optional

SLOWEST = 0.5
"""Records a second that are sent even right after a refusal."""

_GROWTH = 1.05
"""By how much the rate grows with each second of success."""

_FREE = 1000.0
"""Records a second from which on there is no limit any more."""

_WINDOW = 5.0
"""Seconds over which the rate before a refusal is measured."""


class Pace:
    """A token bucket that does not exist until the API answers 429.

    Then it begins at half the rate that was refused, and fills faster while all goes well. Used by one thread.

    Args:
        clock: Tells the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rate: Optional[float] = None
        self._tokens = 0.0
        self._filled_at = clock()
        self._window_began, self._sent, self._measured = clock(), 0, 0.0

    @property
    def rate(self) -> Optional[float]:
        """Records a second; `None` without a limit."""
        return self._rate

    def allowed(self, wanted: int) -> int:
        """How many of `wanted` records may be sent now."""
        self._fill()
        return wanted if self._rate is None else min(wanted, int(self._tokens))

    def sent(self, count: int) -> None:
        """So many are sent now."""
        if self._rate is not None:
            self._tokens -= count
        self._count(count)

    @property
    def wait(self) -> float:
        """Seconds until the next record may be sent."""
        self._fill()
        if self._rate is None:
            return 0.0
        rest = max(0.0, self._filled_at - self._clock())
        return rest + max(0.0, (1.0 - self._tokens) / self._rate)

    def refused(self, pause: float) -> None:
        """The API answered 429, and wants to be left alone for so many seconds."""
        if self._filled_at > self._clock():
            return  # one of those that were on their way when the first was refused
        speed = max(self._measured, self._sent / max(1.0, self._clock() - self._window_began))
        self._rate = max(SLOWEST, min(speed, self._rate or speed) / 2)
        self._tokens, self._filled_at = 0.0, self._clock() + pause

    def _fill(self) -> None:
        passed = self._clock() - self._filled_at
        if self._rate is None or passed <= 0:
            return
        self._filled_at += passed
        # At most a second's worth: after a rest there must be no burst.
        self._tokens = min(self._tokens + passed * self._rate, max(1.0, self._rate))
        faster = self._rate * _GROWTH ** min(passed, 10.0)
        self._rate = None if faster > _FREE else faster

    def _count(self, sent: int) -> None:
        passed = self._clock() - self._window_began
        if passed > _WINDOW:
            self._measured, self._sent, self._window_began = self._sent / passed, 0, self._clock()
        self._sent += sent
