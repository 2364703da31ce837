"""What has become of records, on its way into the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from keito import telemetry
from keito.outbox.relay.progress import Progress, has_ended
from keito.outbox.stored import Settlement

if TYPE_CHECKING:
    from keito.outbox.store import Store

GROUP = 64
"""Settlements that are committed together; fewer once the oldest has waited for `GROUP_SECONDS`."""

GROUP_SECONDS = 0.02


class Settling:
    """Commits settlements in groups: waiting for the disk is most of a commit's time. Used by one thread.

    Args:
        store: Where the records are.
        progress: Is told of what was committed.
        clock: Tells the time, in seconds.
    """

    def __init__(self, store: Store, progress: Progress, clock: Callable[[], float]) -> None:
        self._store = store
        self._progress = progress
        self._clock = clock
        self._settlements: list[Settlement] = []
        self._unsent: list[str] = []
        self._due_at = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether everything is committed."""
        return not (self._settlements or self._unsent)

    @property
    def wait(self) -> float:
        """Seconds until there is something to commit for sure."""
        return max(0.0, self._due_at - self._clock())

    def add(self, settlements: Sequence[Settlement]) -> None:
        """Commit these soon."""
        if not self._settlements:
            self._due_at = self._clock() + GROUP_SECONDS
        self._settlements.extend(settlements)

    def give_back(self, key: str) -> None:
        """A claimed record was certainly not sent."""
        self._unsent.append(key)

    def commit(self, owner: str, *, at_once: bool) -> None:
        """Commit what is due, or all of it. What the store does not take stays for the next time.

        Raises:
            OutboxError: The store fails.
        """
        if self._unsent:
            self._store.give_back(owner, self._unsent)
            self._unsent = []
        if not self._settlements or not (at_once or len(self._settlements) >= GROUP or self.wait <= 0):
            return
        self._store.settle(owner, self._settlements)
        settled, self._settlements = self._settlements, []
        telemetry.settled([one.state.value for one in settled], self._clock() - self._due_at + GROUP_SECONDS)
        self._progress.made([one.key for one in settled if has_ended(one.state, one.status_code)])
