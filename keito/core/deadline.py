"""When the attempt that runs in this thread must be over."""

import threading
import time
from typing import Optional

_GLANCE = 0.2
"""Seconds after which a thread that fetches ahead looks whether anybody still wants the page."""

_BOOTTIME: Optional[int] = getattr(time, "CLOCK_BOOTTIME", None)


def lasting_clock() -> float:
    """Seconds that pass while the machine sleeps as well, where the system can tell."""
    return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)


class Deadline(threading.local):
    """The end of this thread's attempt, on the monotonic clock, and who may end it before.

    Attributes:
        at: When it must be over; `None` for never.
        permit: Until when, by `lasting_clock`, this thread may send at all. It is looked at right before bytes go out:
            a process that was frozen meanwhile must not send what others have taken over.
        cancelled: Set when nobody waits for the answer any more.
    """

    at: Optional[float] = None
    permit: Optional[float] = None
    cancelled: Optional[threading.Event] = None

    @property
    def is_over(self) -> bool:
        """Whether the attempt must end now."""
        if self.cancelled is not None and self.cancelled.is_set():
            return True
        if self.permit is not None and lasting_clock() >= self.permit:
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
