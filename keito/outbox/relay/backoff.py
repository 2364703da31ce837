"""How long to wait after failures in a row."""

from __future__ import annotations

import random
from dataclasses import dataclass

LONGEST = 300.0
"""Seconds that nothing waits longer than, unless the API asks for it."""


@dataclass(frozen=True)
class Backoff:
    """Exponential, with full jitter: those who failed together do not come back together.

    Attributes:
        first: The longest wait after one failure, in seconds; doubled with each further one.
        longest: What it is never longer than.
    """

    first: float = 1.0
    longest: float = LONGEST

    def after(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        # The exponent is capped before it is used: 2.0**1024 would overflow.
        most = min(self.first * 2.0 ** min(max(failures, 1) - 1, 30), self.longest)
        return random.uniform(most / 10, most)  # noqa: S311 - spreads load, guards nothing
