"""Wakes up when a window is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Optional

_GRACE = 2.0
"""Seconds after the end: a run that ends in the last moment is still on its way to its window."""

_LONGEST = 3600.0
"""Seconds of one wait. Clocks are set, and machines sleep: it looks again at least every hour."""


class Alarm:
    """Calls a function soon after a moment, in a daemon thread. One at a time: a later setting replaces the earlier.

    Args:
        call: What to call. It must not raise.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._timer: Optional[threading.Timer] = None
        self._at: Optional[datetime] = None
        self._lock = threading.RLock()

    def set(self, at: Optional[datetime]) -> None:
        """Wake up at `at`; `None` switches the alarm off."""
        with self._lock:
            if at == self._at and self._timer is not None and self._timer.is_alive():
                return
            if self._timer is not None:
                self._timer.cancel()
            self._at, self._timer = at, None if at is None else self._started(at)

    def _started(self, at: datetime) -> threading.Timer:
        seconds = (at - datetime.now(timezone.utc)).total_seconds() + _GRACE
        timer = threading.Timer(min(max(0.0, seconds), _LONGEST), self._ring)
        timer.daemon = True
        timer.name = "keito-rollup"
        timer.start()
        return timer

    def _ring(self) -> None:
        with self._lock:
            if self._timer is threading.current_thread():
                self._timer = None  # it is still alive, and must not stand for the next one
        self._call()
