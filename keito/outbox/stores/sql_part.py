"""What the parts of a store in an SQL database have in common."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from keito.outbox.stores import forks
from keito.outbox.stores.database import Database, Transaction
from keito.outbox.stores.queries import Queries

_PIECE = 1_000
"""Rows changed in one transaction where there may be many: nobody else waits for long."""

_GLANCE = 0.1
"""Seconds between two looks at whether another process has added something."""


class SqlPart:
    """A database with its SQL, and the news that something was added."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._db = database
        self._sql = queries
        self._changes = 0
        self._changed = threading.Condition()
        self._seen = threading.local()
        forks.watch(self)

    def wait(self, seconds: float) -> bool:
        """See `Store.wait`."""
        deadline = time.monotonic() + seconds
        while not self._has_news():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with self._changed:
                self._changed.wait(min(left, _GLANCE))
            if self._db.has_changed():
                self.wake()
        return True

    def wake(self) -> None:
        """See `Store.wake`."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def before_fork(self) -> None:
        """Nothing is open here."""

    def after_fork(self, *, is_child: bool) -> None:
        """In a child no other thread lets go of the lock."""
        if is_child:
            self._changed = threading.Condition()

    def _has_news(self) -> bool:
        """Whether something has changed since this thread was told so last."""
        with self._changed:
            seen: int = getattr(self._seen, "changes", 0)
            self._seen.changes = self._changes
            return self._changes != seen

    def _announce(self, something: object) -> None:
        if something:
            self.wake()
            self._db.announce()

    def _insert(self, tx: Transaction, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Add rows with keys; answers the keys that are new."""
        rows = list(rows)
        new = tx.each(self._sql.insert_record, rows)
        return [str(row["key"]) for row, is_new in zip(rows, new) if is_new]

    def _end_run(self, tx: Transaction, uid: Optional[str]) -> None:
        if uid is not None and tx.run(self._sql.delete_run, uid=uid):
            tx.run(self._sql.delete_events, uid=uid)

    def _in_pieces(self, query: str, **values: Any) -> int:
        total, number = 0, _PIECE
        while number == _PIECE:
            number = self._db.write(lambda tx: tx.run(query, limit=_PIECE, **values))
            total += number
        return total
