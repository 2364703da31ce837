"""How many records to claim at a time."""

from __future__ import annotations

from collections.abc import Callable

LARGEST_CLAIM = 512
"""After a `kill -9` each claimed record is in doubt."""

_IDLE = 0.2
"""Seconds after which a store that had nothing is looked into again, if nobody says that there is something."""


class ClaimSize:
    """Grows until what is claimed keeps a relay's threads busy for about a second. Used by one thread.

    Args:
        concurrency: How many records are on their way at a time.
        clock: Tells the time, in seconds.
    """

    def __init__(self, concurrency: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._least = 2 * concurrency
        self._target = self._least
        self._claimed_at = 0.0
        self._idle_until = 0.0

    def room(self, flying: int, most: int = LARGEST_CLAIM) -> int:
        """How many to claim now while so many are claimed already."""
        target = min(self._target, most)
        return 0 if flying > target // 2 or self._clock() < self._idle_until else target - flying

    def claimed(self, count: int, room: int) -> None:
        """So many were there when there was room for so many."""
        now = self._clock()
        if count < room:
            # A claim takes the lock of the database: whoever found too little waits a moment, or until it is woken.
            self._idle_until = now + _IDLE
        elif now - self._claimed_at < 0.5:
            self._target = min(2 * self._target, LARGEST_CLAIM)
        elif now - self._claimed_at > 2:
            self._target = max(self._target // 2, self._least)
        self._claimed_at = now

    def wake(self) -> None:
        """There is something to claim."""
        self._idle_until = 0.0
