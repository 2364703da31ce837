"""What goes wrong with a part of a bill costs that part only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Optional, TypeVar

from keito.billing.guard import Guard

_Part = TypeVar("_Part")


class Attempts:
    """Makes the parts of bills one by one, such as records. Thread-safe.

    Args:
        guard: Takes the errors; without one they are raised.

    Attributes:
        failed: How many parts could not be made.
    """

    def __init__(self, guard: Optional[Guard] = None) -> None:
        self.failed = 0
        self._guard = guard
        self._lock = threading.Lock()

    def __call__(self, make: Callable[..., Iterable[_Part]], *given: Any) -> list[_Part]:
        """What `make` makes of what is given; nothing, if that fails."""
        try:
            return list(make(*given))
        except Exception as error:  # the other parts are good
            if self._guard is None:
                raise
            self._guard.caught("bill", error)
            with self._lock:
                self.failed += 1
            return []
