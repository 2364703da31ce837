"""The records of this process whose end it has not seen."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Optional

from keito.outbox.relay.progress import has_ended

if TYPE_CHECKING:
    from keito.outbox.store import Store

_MOST = 100_000
"""Records that are watched; of older ones this process does not learn the end."""

_AT_ONCE = 50
"""Records that are looked up at a time, because another process may have sent them."""


class Outstanding:
    """Knows which of this process's records are still to be sent. Thread-safe.

    Args:
        store: Where they are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: dict[str, None] = {}
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Forget all of them in a forked child: they are the parent's."""
        self._keys, self._lock = {}, threading.Lock()

    def add(self, keys: Iterable[str]) -> None:
        """Watch records that were committed."""
        with self._lock:
            self._keys.update(dict.fromkeys(keys))
            for key in list(islice(self._keys, max(0, len(self._keys) - _MOST))):
                del self._keys[key]

    def ended(self, keys: Iterable[str]) -> list[str]:
        """Watch these no more; answers which of them were watched."""
        with self._lock:
            return [key for key in keys if self._keys.pop(key, key) is None]

    def any_of(self, keys: Optional[Iterable[str]] = None) -> bool:
        """Whether the end of one of these, or of any, is still to come."""
        return bool(self._keys) if keys is None else any(key in self._keys for key in keys)

    def look(self) -> Sequence[str]:
        """Look some of them up in the store; answers which of them have ended."""
        with self._lock:
            some = list(islice(self._keys, _AT_ONCE))
            for key in some:  # to the end of the line
                del self._keys[key]
                self._keys[key] = None
        return self.ended([key for key in some if self._has_ended(key)])

    def _has_ended(self, key: str) -> bool:
        found = self._store.find(key=key)
        return not found or has_ended(found[0].state, found[0].status_code)
