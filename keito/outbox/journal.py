"""The journal of open runs: what happened in them outlives the process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Optional, Protocol

from keito.outbox.children import renew_in_children
from keito.outbox.process import owner

if TYPE_CHECKING:
    from keito.outbox.store import Store

_log = logging.getLogger("keito.billing")

LEASE = 60.0
"""Seconds after which a process that was not heard of counts as gone, where nobody can tell."""

_BEAT = 5.0
"""Seconds between two signs of life, and between two looks at what is known of a run beside its events."""

_TOGETHER = 0.1
"""Seconds for which events are gathered before they are written."""

_AFTER_ERROR = 1.0
"""Seconds before the next attempt."""

_MOST_RUNS = 10_000
"""Open runs; further ones are not written."""

_MOST_WAITING = 100_000
"""Events in memory. Beyond it, while the store is slow or full, further ones are left out."""


class Chronicle(Protocol):
    """What the journal asks of an open run. Its methods are called in the journal's thread."""

    @property
    def uid(self) -> str:
        """The run's."""
        ...

    @property
    def destination(self) -> str:
        """As of records."""
        ...

    def header(self) -> str:
        """What the run is, and what it is billed by."""
        ...

    def text(self, event: Any) -> str:
        """An event as one line."""
        ...

    def news(self) -> Optional[str]:
        """What has become known of the run beside its events, as one line; `None` if nothing has."""
        ...


class _Entry:
    """An open run, and what of it is not written yet."""

    def __init__(self, run: Chronicle) -> None:
        self.run = run
        self.waiting: list[tuple[int, Any]] = []
        self.count = 0
        self.is_known = False  # to the store

    def add(self, event: Any) -> None:
        """Give an event its number, which stays the same however often it is written."""
        self.waiting.append((self.count, event))
        self.count += 1


class Journal:
    """Writes what happens in the open runs of this process to a store, in a thread that lasts as long as they do.

    The agent never waits for the store, and no error of it reaches the agent. A run that ends before anything of it
    was written never enters the store. After a fork the child has an empty journal: a run that goes on in both
    processes is the parent's.

    Args:
        store: Where to write.
        lease: Seconds after the last sign of life for which nobody else closes the runs, unless it is certain that
            the process is gone.

    Attributes:
        left_out: Runs and events that were not written because there were too many. Runs bill them when they end.
    """

    def __init__(self, store: Store, *, lease: float = LEASE) -> None:
        self._store = store
        self._lease = lease
        self.left_out = 0
        self.start_anew()
        renew_in_children(self)

    def start_anew(self) -> None:
        """Forget everything."""
        # Reentrant, both: the garbage collector may end a metered stream, which records, while a thread is in here.
        self._state = threading.Condition(threading.RLock())
        self._wake: SimpleQueue[str] = SimpleQueue()
        self._open: dict[str, _Entry] = {}
        self._writing: frozenset[str] = frozenset()
        self._ended_meanwhile: list[str] = []
        self._thread: Optional[threading.Thread] = None
        self._waiting = 0
        self._beat_at = 0.0

    def begin(self, run: Chronicle) -> None:
        """A run starts."""
        with self._state:
            if len(self._open) >= _MOST_RUNS:
                self.left_out += 1
                return
            self._open[run.uid] = _Entry(run)
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="keito-journal", daemon=True)
                thread.start()
                self._thread = thread
        self._wake.put(run.uid)

    def note(self, uid: str, event: Any) -> None:
        """Something happened in a run."""
        with self._state:
            entry = self._open.get(uid)
            if entry is None:
                return
            if self._waiting >= _MOST_WAITING:
                self.left_out += 1
                return
            self._waiting += 1
            entry.add(event)
            is_first = len(entry.waiting) == 1
        if is_first:
            self._wake.put(uid)

    def end(self, uid: str) -> bool:
        """A run ends: from now on nothing of it is written. Answers whether the store has something of it."""
        with self._state:
            entry = self._open.pop(uid, None)
            if entry is None:
                return False
            self._waiting -= len(entry.waiting)
            if not self._open:
                self._wake.put(uid)  # the thread has nothing to wait for any more
            if uid in self._writing and threading.current_thread() is self._thread:
                self._ended_meanwhile.append(uid)  # by the garbage collector; the thread cannot wait for itself
                return True
            # What is under way arrives first, so that the records of the run can take it away.
            self._state.wait_for(lambda: uid not in self._writing)
            return entry.is_known

    def _work(self) -> None:
        while not self._retires():
            self._await_news()
            try:
                self._beat()
                self._write(self._touched())
            except Exception as error:  # it tries again; until then only a crash would lose something
                _log.error("The journal of open runs cannot be written: %s", error)
                time.sleep(_AFTER_ERROR)

    def _retires(self) -> bool:
        with self._state:
            if self._open or not self._wake.empty():
                return False
            self._thread = None
            return True

    def _await_news(self) -> None:
        """Wait for the first news, or for the next sign of life; then a moment for what comes with them."""
        with suppress(Empty):
            self._wake.put(self._wake.get(timeout=max(0.0, self._beat_at - time.monotonic())))
        time.sleep(_TOGETHER)

    def _touched(self) -> set[str]:
        found: set[str] = set()
        with suppress(Empty):
            while True:
                found.add(self._wake.get_nowait())
        return found

    def _beat(self) -> None:
        """Say that the process lives, and look at what is known of all runs beside their events."""
        if not self._open or time.monotonic() < self._beat_at:
            return
        self._store.keep_alive(owner(), self._lease)
        self._beat_at = time.monotonic() + _BEAT
        for uid in list(self._open):
            self._wake.put(uid)

    def _write(self, uids: Iterable[str]) -> None:
        with self._state:
            entries = {uid: self._open[uid] for uid in uids if uid in self._open}
            self._writing = frozenset(entries)
        taken: dict[str, list[tuple[int, Any]]] = {}
        try:
            taken = {uid: self._taken(entry) for uid, entry in entries.items()}
            self._send(entries, taken)
        except BaseException:
            self._put_back(entries, taken)
            raise
        finally:
            with self._state:
                self._writing = frozenset()
                ended, self._ended_meanwhile = self._ended_meanwhile, []
                self._state.notify_all()
        if ended:
            self._store.forget(ended)

    def _taken(self, entry: _Entry) -> list[tuple[int, Any]]:
        news = entry.run.news()
        with self._state:
            if news is not None:
                entry.add(_News(news))
                self._waiting += 1
            taken, entry.waiting = entry.waiting, []
            self._waiting -= len(taken)
        return taken

    def _send(self, entries: Mapping[str, _Entry], taken: Mapping[str, list[tuple[int, Any]]]) -> None:
        runs: dict[str, tuple[str, str]] = {}
        lines: list[tuple[str, int, str]] = []
        for uid, entry in entries.items():
            try:
                found = [(uid, number, _text(entry.run, event)) for number, event in taken[uid]]
                if not entry.is_known:
                    runs[uid] = (entry.run.destination, entry.run.header())
                lines += found
            except Exception:  # noqa: PERF203 - it is billed when it ends; and the other runs are good
                _log.exception("Run %s cannot be written to the journal", uid)
                self._open.pop(uid, None)
        if runs or lines:
            self._store.journal(runs, lines, owner())
        for uid in runs:
            entries[uid].is_known = True

    def _put_back(self, entries: Mapping[str, _Entry], taken: Mapping[str, list[tuple[int, Any]]]) -> None:
        with self._state:
            for uid, events in taken.items():
                if uid in self._open:
                    entries[uid].waiting[:0] = events
                    self._waiting += len(events)
                    self._wake.put(uid)


class _News(str):
    """A line that is one already."""


def _text(run: Chronicle, event: Any) -> str:
    return event if isinstance(event, _News) else run.text(event)
