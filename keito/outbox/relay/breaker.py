"""Nothing is sent while nobody answers, but for one probe at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum
from typing import Optional

from keito.outbox.relay.backoff import Backoff

THRESHOLD = 3
"""Failures in a row after which sending stops. One may be a record's own fault, and one an accident."""


class BreakerState(str, Enum):
    """`closed` lets everything pass, `open` nothing, `half_open` one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"

    def __str__(self) -> str:
        return self.value


class Breaker:
    """Knows whether the API answers. Used by one thread.

    Args:
        backoff: How long it stays open.
        clock: Tells the time, in seconds.
    """

    def __init__(self, backoff: Optional[Backoff] = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    @property
    def state(self) -> BreakerState:
        """Whether something may be sent now."""
        if self._failures < THRESHOLD:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.wait > 0 else BreakerState.HALF_OPEN

    @property
    def wait(self) -> float:
        """Seconds until something may be sent."""
        return max(0.0, self._until - self._clock()) if self._failures >= THRESHOLD else 0.0

    def succeeded(self) -> None:
        """Somebody answered."""
        self._failures = 0

    def failed(self) -> None:
        """Nobody answered, or the server failed."""
        if self.wait > 0:
            return  # one of those that were on their way when it opened
        self._failures += 1
        if self._failures >= THRESHOLD:
            self._until = self._clock() + self._backoff.after(self._failures - THRESHOLD + 1)

    def probe(self) -> None:
        """Let one through at once: somebody asked for it."""
        self._until = 0.0
