"""When the attempt that runs in this thread must be over."""

import threading
import time
from typing import Optional

_GLANCE = 0.2
"""Seconds after which a thread that fetches ahead looks whether anybody still wants the page."""


class Deadline(threading.local):
    """The end of this thread's attempt, on the monotonic clock, and who may end it before.

    Attributes:
        at: When it must be over; `None` for never.
        cancelled: Set when nobody waits for the answer any more.
    """

    at: Optional[float] = None
    cancelled: Optional[threading.Event] = None

    @property
    def is_over(self) -> bool:
        """Whether the attempt must end now."""
        if self.cancelled is not None and self.cancelled.is_set():
            return True
        return self.at is not None and time.monotonic() >= self.at

    def left(self, timeout: Optional[float]) -> Optional[float]:
        """What remains of `timeout`."""
        if self.at is None:
            return timeout
        left = max(self.at - time.monotonic(), 0.001)
        return left if timeout is None else min(left, timeout)

    def glance(self, timeout: Optional[float]) -> Optional[float]:
        """How long to wait before the next look at `is_over`."""
        left = self.left(timeout)
        if self.cancelled is None:
            return left
        return _GLANCE if left is None else min(left, _GLANCE)


deadline = Deadline()
