"""A store and the relay that sends from it, as the deliveries of a process share them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Optional

from keito.outbox.children import at_end_of_child
from keito.outbox.hooks import Hooks
from keito.outbox.outstanding import Outstanding
from keito.outbox.relay.breaker import BreakerState
from keito.outbox.stored import RecordState

if TYPE_CHECKING:
    from keito.outbox.relay.background import Background
    from keito.outbox.store import Store

_GLANCE = 0.1
"""Seconds between two looks at what others have sent."""

_OPEN = (RecordState.PENDING, RecordState.SENDING, RecordState.UNSURE, RecordState.HELD)


class Shared:
    """A store, and the relay that sends its records for one destination.

    Args:
        store: Keeps the records.
        destination: Whose records.
        background: Sends them; `None` where another process does.
        finish: What to do when the process ends.

    Attributes:
        outstanding: The records of this process that are not sent yet, where it sends them itself.
        hooks: Those of its deliveries.
        users: How many deliveries use it.
    """

    def __init__(
        self, store: Store, destination: str, background: Optional[Background], finish: Callable[[], object]
    ) -> None:
        self.store = store
        self.destination = destination
        self.background = background
        self._finish = finish
        self.outstanding = Outstanding(store)
        self.hooks: list[Hooks] = []
        self.users = 0
        if background is not None:
            background.relay.progress.listen(self.ended)

    def reset(self) -> None:
        """Begin anew in a forked child: what is outstanding is the parent's."""
        self.outstanding.reset()
        for hooks in self.hooks:
            hooks.reset()

    def committed(self, keys: Sequence[str]) -> None:
        """This process has added records to the store."""
        if self.background is not None:
            at_end_of_child(self._finish)
            self.outstanding.add(keys)

    def ended(self, keys: Sequence[str]) -> None:
        """The relay has settled these for good, or until an operator comes."""
        self.outstanding.ended(keys)
        for hooks in list(self.hooks):
            hooks.ended(keys)

    def wait(self, deadline: float) -> None:
        """Wait for everything of the destination, also what other processes have to send."""
        while time.monotonic() < deadline and not self.is_at_rest(deadline):
            self._glance(deadline)

    def wait_for_own(self, deadline: float, keys: Optional[Sequence[str]] = None) -> None:
        """Wait for what this process has committed, or only for the records with these keys.

        Not while nobody answers: the records are safe in the store, and the program has better things to do.
        """
        while time.monotonic() < deadline and self.outstanding.any_of(keys) and not self.is_at_rest(deadline):
            if self.background is not None and self.background.relay.breaker_state is not BreakerState.CLOSED:
                return
            self._glance(deadline)
            self.outstanding.look()

    def is_at_rest(self, deadline: float) -> bool:
        """Whether nothing more will become of any record before a moment of `time.monotonic()`."""
        # Asked twice: records move on between the questions that this is made of.
        return self._rests(deadline) and self._rests(deadline)

    def _rests(self, deadline: float) -> bool:
        due = self.store.next_due(self.destination)  # first: what is claimed meanwhile is counted as under way
        counts = self.store.counts(self.destination)
        if not any(counts.get(state, 0) for state in _OPEN):
            return True
        if self.background is None or counts.get(RecordState.SENDING, 0) or self.background.relay.is_busy:
            return False  # others send, or it is under way
        wait = max(due or 0.0, self.background.relay.blocked)
        return due is None or time.monotonic() + wait > deadline

    def _glance(self, deadline: float) -> None:
        seconds = max(0.0, min(_GLANCE, deadline - time.monotonic()))
        if self.background is None:
            time.sleep(seconds)
        else:
            self.background.relay.progress.wait(seconds)
