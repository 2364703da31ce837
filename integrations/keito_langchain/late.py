"""Model calls whose end is reported after the end of their run."""

from __future__ import annotations

import threading
import time
from typing import Optional

from keito.metering import AgentRun
from keito_langchain.nodes import Key, ModelStart

_GRACE_NS = 60 * 10**9
"""How long an ended run takes late calls."""

_LIMIT = 1000
"""Calls that are remembered; beyond it the oldest are forgotten."""


class LateCalls:
    """Remembers which ended run a call belongs to. Thread-safe."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Forget all calls."""
        self._calls: dict[Key, tuple[int, AgentRun, ModelStart]] = {}
        self._lock = threading.Lock()

    def add(self, key: Key, run: AgentRun, start: ModelStart) -> None:
        """A run has ended without this call."""
        now = time.monotonic_ns()
        with self._lock:
            self._calls[key] = (now + _GRACE_NS, run, start)
            for known, (until, _, _) in list(self._calls.items()):
                if until > now and len(self._calls) <= _LIMIT:
                    break  # the oldest come first
                del self._calls[known]

    def take(self, key: Key) -> Optional[tuple[AgentRun, ModelStart]]:
        """The ended run, and the start, of a call."""
        if not self._calls:
            return None
        with self._lock:
            found = self._calls.pop(key, None)
        return None if found is None else found[1:]
