"""Tells others in the process what a relay has settled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Optional

from keito.outbox.stored import RecordState


def has_ended(state: RecordState, status_code: Optional[int]) -> bool:
    """Whether relays leave a record in a state: for good, or until an operator comes."""
    if state is RecordState.HELD:
        return status_code != 429  # that one comes back by itself
    return state in (RecordState.DELIVERED, RecordState.DEAD, RecordState.WITHDRAWN)


Listener = Callable[[Sequence[str]], None]


class Progress:
    """Wakes those who wait, and calls those who listen. Usable after a fork."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._settled = threading.Condition()

    def reset(self) -> None:
        """Begin anew in a forked child: a thread of the parent may have held the lock."""
        self._settled = threading.Condition()

    def listen(self, listener: Listener) -> None:
        """Call a function with the keys of records whose end was settled. It must not raise."""
        self._listeners.append(listener)

    def made(self, ended: Sequence[str]) -> None:
        """Records were settled; those with these keys for good, or until an operator comes."""
        for listener in self._listeners:
            listener(ended)
        with self._settled:
            self._settled.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait for the next records, for so long at most."""
        with self._settled:
            self._settled.wait(seconds)
