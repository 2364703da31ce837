"""Requests per minute and key."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Optional

from keito.sandbox.choices import RATE_LIMIT_WINDOW_SECONDS
from keito.sandbox.errors import ApiError


class RateLimit:
    """Counts in fixed windows; used on the server's loop only."""

    def __init__(self) -> None:
        self._window = 0
        self._counts: Counter[bytes] = Counter()

    def check(self, key: bytes, limit: Optional[int], now: datetime) -> Optional[ApiError]:
        """Count a request; the refusal when there were too many."""
        if limit is None:
            return None
        window, passed = divmod(int(now.timestamp()), RATE_LIMIT_WINDOW_SECONDS)
        if window != self._window:
            self._window = window
            self._counts.clear()
        self._counts[key] += 1
        if self._counts[key] <= limit:
            return None
        seconds = RATE_LIMIT_WINDOW_SECONDS - passed
        message = f"Too many API requests. Retry in {seconds} seconds."
        return ApiError(429, headers={"Retry-After": str(seconds)}, message=message)
