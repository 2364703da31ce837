"""Calls the program's own functions when the end of its records is known."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Optional

from keito.outbox.outstanding import Outstanding
from keito.outbox.stored import RecordState, StoredRecord

if TYPE_CHECKING:
    from keito.outbox.store import Store

_log = logging.getLogger("keito.billing")

Hook = Callable[[StoredRecord], None]

_LOOK = 1.0
"""Seconds between two looks for what other processes have sent."""


class Hooks:
    """Calls hooks in a thread of its own, which runs while records are outstanding.

    Args:
        store: Where the records are.
        by_state: What to call for records in which state.
    """

    def __init__(self, store: Store, by_state: Mapping[RecordState, Hook]) -> None:
        self._store = store
        self._by_state = by_state
        self._outstanding = Outstanding(store)
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Begin anew in a forked child."""
        self._outstanding.reset()
        self._ended: queue.SimpleQueue[Sequence[str]] = queue.SimpleQueue()
        self._thread: Optional[threading.Thread] = None
        self._closing = False
        self._lock = threading.Lock()

    def expect(self, keys: Sequence[str]) -> None:
        """These records were committed."""
        self._outstanding.add(keys)
        with self._lock:
            if self._thread is None:
                self._start()

    def ended(self, keys: Sequence[str]) -> None:
        """Call what is to be called for those of these that were expected, soon."""
        mine = self._outstanding.ended(keys)
        if mine:
            self._ended.put(mine)

    def close(self, seconds: float) -> None:
        """Wait for the hooks of records whose end is known, for so long at most."""
        with self._lock:
            self._closing, thread = True, self._thread
        if thread is not None:
            self._ended.put(())
            thread.join(seconds)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="keito-hooks", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return  # the interpreter is ending
        self._thread = thread

    def _run(self) -> None:
        while True:
            for key in self._next():
                self._call(key)
            with self._lock:
                if self._ended.empty() and (self._closing or not self._outstanding.any_of()):
                    self._thread = None
                    return

    def _next(self) -> Sequence[str]:
        try:
            return self._ended.get(timeout=_LOOK)
        except queue.Empty:
            pass
        try:
            return self._outstanding.look()
        except Exception:  # the store fails; it may come back
            return ()

    def _call(self, key: str) -> None:
        try:
            found = self._store.find(key=key)
            hook = self._by_state.get(found[0].state) if found else None
            if hook is not None:
                hook(found[0])
        except Exception:  # the program's own function; the agent never breaks
            _log.exception("A hook failed for the record %s", key)
