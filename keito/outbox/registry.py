"""One store and one relay for each place, however many deliveries a process has."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Optional, Union

from keito.outbox.shared import Shared

if TYPE_CHECKING:
    from keito.outbox.relay.background import Background
    from keito.outbox.store import Store

_log = logging.getLogger("keito.billing")

CLOSING_TIME = 5.0
"""Seconds that `close`, and the end of the program, spend on what is not sent yet."""

_ABANDONING_TIME = 2.0
"""Seconds for what is on its way when a store is abandoned."""


class Registry:
    """What the deliveries of a process share. Usable after a fork."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._stores: dict[str, Store] = {}
        self._shared: dict[Hashable, Shared] = {}
        self._exit: Optional[weakref.finalize[[], Registry]] = None

    def reset(self) -> None:
        """Begin anew in a forked child: a thread of the parent may have held the lock."""
        self._lock = threading.RLock()
        for shared in self._shared.values():
            shared.reset()

    def take(self, store: Union[Store, str], destination: str, make: Optional[Callable[[Store], Background]]) -> Shared:
        """The store and the relay for a destination, made if there is none.

        Args:
            store: One that the caller has opened, or the URL of one.
            destination: Whose records.
            make: Makes the relay; `None` where another process sends.
        """
        with self._lock:
            if self._exit is None:
                # Finalizers run in the reverse order of their making: those of billings, which come later, before.
                self._exit = weakref.finalize(self, self.finish)
            opened = self._opened(store) if isinstance(store, str) else store
            place = (id(opened), destination, make is None)
            if place not in self._shared:
                self._shared[place] = Shared(opened, destination, None if make is None else make(opened), self.finish)
            shared = self._shared[place]
            shared.users += 1
            return shared

    def leave(self, shared: Shared) -> None:
        """One delivery needs it no more, and nobody waits for it."""
        with self._lock:
            shared.users -= 1

    def release(self, shared: Shared) -> None:
        """One delivery needs it no more; the last one stops the relay."""
        deadline = time.monotonic() + CLOSING_TIME
        self._wait(shared, deadline)
        with self._lock:
            shared.users -= 1
            if shared.users > 0:
                return
            self._shared = {place: each for place, each in self._shared.items() if each is not shared}
        self._stop(shared, deadline)

    def abandon(self, url: str) -> None:
        """Send nothing more from the store at a URL: a test is over, and what it left is nobody's."""
        with self._lock:
            store = self._stores.pop(url, None)
            mine = [shared for shared in self._shared.values() if shared.store is store]
            self._shared = {place: shared for place, shared in self._shared.items() if shared.store is not store}
        for shared in mine:
            self._stop(shared, time.monotonic() + _ABANDONING_TIME)
        if store is not None:
            store.close()

    def finish(self) -> None:
        """The program ends: send what can be sent within a few seconds."""
        deadline = time.monotonic() + CLOSING_TIME
        for shared in list(self._shared.values()):
            self._wait(shared, deadline)
        shared_ones, self._shared = list(self._shared.values()), {}
        for shared in shared_ones:
            self._stop(shared, deadline)

    def _wait(self, shared: Shared, deadline: float) -> None:
        try:
            shared.wait_for_own(deadline)
        except Exception as error:  # what is not sent is in the store, or nobody can say
            _log.warning("The outbox cannot be read: %s", error)

    def _stop(self, shared: Shared, deadline: float) -> None:
        if shared.background is not None:
            shared.background.stop(max(0.1, deadline - time.monotonic()))
            shared.background.relay.sender.close()
        for hooks in shared.hooks:
            hooks.close(max(0.1, deadline - time.monotonic()))
        with self._lock:
            if any(each.store is shared.store for each in self._shared.values()):
                return
            urls = [url for url, store in self._stores.items() if store is shared.store]
            for url in urls:
                del self._stores[url]
        if urls:
            shared.store.close()

    def _opened(self, url: str) -> Store:
        from keito.outbox.stores.open_store import open_store  # noqa: PLC0415 - loads the database's driver

        if url not in self._stores:
            try:
                self._stores[url] = open_store(url)
            except ValueError as error:
                raise ValueError(f"outbox= or KEITO_OUTBOX_URL: {error}") from None
        return self._stores[url]


registry = Registry()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=registry.reset)
