"""What a relay does from time to time beside sending."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from keito.outbox.process import is_gone

if TYPE_CHECKING:
    from keito.outbox.store import Store

_log = logging.getLogger("keito.billing")

Chore = Callable[[], Optional[float]]
"""Something to do from time to time; answers in how many seconds to do it again, `None` if it has nothing to do."""

KEEP_DELIVERED = 30 * 86_400.0
"""Seconds for which delivered records are kept for audit."""

_PRUNE_EVERY = 3600.0
_EXPIRE_EVERY = 5.0
_CHORES_EVERY = 30.0


@dataclass
class _Due:
    chore: Chore
    at: float
    has_work: bool = False

    def do(self, now: float) -> None:
        seconds = self.chore()
        self.has_work = seconds is not None
        self.at = now + (_CHORES_EVERY if seconds is None else seconds)


class Housekeeping:
    """Finds records whose relay is gone, deletes old ones, and does chores.

    Args:
        store: Where the records are.
        destination: Whose records.
        quiet: Seconds before Keito is asked for records whose relay is gone.
        lease: How long records belong to a relay.
        chores: What else there is to do.
        clock: Tells the time, in seconds.
    """

    def __init__(
        self,
        store: Store,
        destination: str,
        quiet: float,
        lease: float,
        chores: Sequence[Chore],
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._store = store
        self._destination = destination
        self._quiet = quiet
        self._expire_every = min(_EXPIRE_EVERY, lease / 2)
        # A program that lives for a moment has no time to delete what is old.
        self._own = [_Due(self._expire, 0.0), _Due(self._prune, clock() + _CHORES_EVERY)]
        self._chores = [_Due(chore, 0.0) for chore in chores]

    @property
    def has_work(self) -> bool:
        """Whether a chore has said that it will have something to do."""
        return any(due.has_work for due in self._chores)

    def do(self) -> float:
        """Do what is due; answers in how many seconds something is due again."""
        now = self._clock()
        for due in self._own:
            if due.at <= now:
                due.do(now)
        for due in self._chores:
            if due.at <= now:
                _try(due, now)
        return max(0.0, min(due.at for due in (*self._own, *self._chores)) - now)

    def _expire(self) -> float:
        self._store.follow_clock(self._destination)
        self._store.expire(self._destination, self._quiet, is_gone)
        return self._expire_every

    def _prune(self) -> float:
        self._store.prune(KEEP_DELIVERED)
        return _PRUNE_EVERY


def _try(due: _Due, now: float) -> None:
    """Do a chore, whose failure must not keep records from being sent."""
    try:
        due.do(now)
    except Exception:
        _log.exception("A chore of the outbox failed, and is tried again in %.0f seconds", _CHORES_EVERY)
        due.at = now + _CHORES_EVERY
