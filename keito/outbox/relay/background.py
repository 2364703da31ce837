"""A relay that runs in a thread of the program whose records it sends."""

from __future__ import annotations

import threading
import time
from typing import Optional

from keito.outbox.children import renew_in_children
from keito.outbox.relay.relay import Relay

_LINGER = 10.0
"""Seconds that the thread waits for more when there is nothing to send."""


class Background:
    """Runs a relay in a daemon thread while there is something to send. Usable after a fork.

    Args:
        relay: What to run.
        linger: Seconds that the thread waits for more when there is nothing to send.
    """

    def __init__(self, relay: Relay, linger: float = _LINGER) -> None:
        self.relay = relay
        self._linger = linger
        self._lock = threading.Lock()
        self._thread: Optional[threading.Thread] = None
        self._woken_at = 0.0
        self._stopping = False
        renew_in_children(self)

    @property
    def is_running(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None

    def wake(self) -> None:
        """There is something to send."""
        with self._lock:
            self._woken_at = time.monotonic()
            if self._thread is None and not self._stopping:
                self._start()
        self.relay.wake()

    def stop(self, seconds: float) -> None:
        """Send nothing more, and wait for so long at most for what is on its way."""
        with self._lock:
            self._stopping, thread = True, self._thread
        if thread is not None:
            self.relay.wake()
            thread.join(seconds)

    def start_anew(self) -> None:
        """Begin anew in a forked child, which has none of its parent's threads."""
        self._lock = threading.Lock()
        self._thread = None
        self.relay.reset()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="keito-relay", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return  # the interpreter is ending: what is to be sent is in the store
        self._thread = thread

    def _run(self) -> None:
        while True:
            self.relay.work(self._is_over)
            if self._stopping:
                self.relay.drain(self.relay.longest_attempt)
            with self._lock:
                if self._is_over():
                    self._thread = None
                    return

    def _is_over(self) -> bool:
        return self._stopping or not (self.relay.has_work or time.monotonic() < self._woken_at + self._linger)
