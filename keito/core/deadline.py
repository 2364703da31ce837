"""When the attempt that runs in this thread must be over."""

import threading
import time
from typing import Optional


class _Deadline(threading.local):
    """When the attempt that runs in this thread must be over, on the monotonic clock."""

    at: Optional[float] = None

    def left(self, timeout: Optional[float]) -> Optional[float]:
        if self.at is None:
            return timeout
        left = max(self.at - time.monotonic(), 0.001)
        return left if timeout is None else min(left, timeout)


deadline = _Deadline()
