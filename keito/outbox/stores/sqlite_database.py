"""A SQLite file that any number of threads and processes of one machine use."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, Optional, TypeVar, cast

from keito.outbox.stores import forks
from keito.outbox.stores.database import Row, Transaction
from keito.outbox.stores.sqlite_file import MEMORY, connect, refusal

T = TypeVar("T")

_LOCK_TIMEOUT = 30.0
"""Seconds to wait for other processes; each of them holds the lock for about a millisecond."""

_FAILURES = (sqlite3.OperationalError, sqlite3.DatabaseError)
"""What is wrong with the database, and not with a statement."""

_FIRST_NAP, _LONGEST_NAP = 0.0002, 0.002


class _Statements:
    """A transaction on a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, **values: Any) -> list[Row]:
        return self._execute(sql, values).fetchall()

    def run(self, sql: str, **values: Any) -> int:
        return self._execute(sql, values).rowcount

    def each(self, sql: str, many: Iterable[Mapping[str, Any]]) -> list[int]:
        return [self._execute(sql, values).rowcount for values in many]

    def _execute(self, sql: str, values: Mapping[str, Any]) -> sqlite3.Cursor:
        plain = {name: json.dumps(value) if isinstance(value, list) else value for name, value in values.items()}
        return self._connection.execute(sql, {"now": time.time(), **plain})


class _Job(Generic[T]):
    """Something to do in a transaction, maybe together with others."""

    def __init__(self, work: Callable[[Transaction], T]) -> None:
        self.work = work
        self.is_done = False
        self.error: Optional[BaseException] = None
        self._result: Optional[T] = None

    def run(self, statements: Transaction) -> None:
        self._result, self.error = self.work(statements), None

    @property
    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return cast("T", self._result)


class SqliteDatabase:
    """One connection, which threads use in turn.

    Threads that write at the same moment share one commit: waiting for the disk is most of its time.

    Args:
        path: The file, or ":memory:".
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection: Optional[sqlite3.Connection] = None
        self._inode: Optional[tuple[int, int]] = None
        self._pid = os.getpid()
        self._seen = -1
        self._is_held = False
        self._jobs: deque[_Job[Any]] = deque()
        forks.watch(self)

    def read(self, work: Callable[[Transaction], T]) -> T:
        """See `Database.read`."""
        with self._lock:
            try:
                return _patiently(lambda: work(_Statements(self._open())))
            except sqlite3.Error as error:
                raise refusal(error, self.path) from error

    def write(self, work: Callable[[Transaction], T]) -> T:
        """See `Database.write`."""
        job = _Job(work)
        self._jobs.append(job)
        with self._lock:
            if not job.is_done:
                self._commit(job)
        return job.result

    def now(self) -> float:
        """See `Database.now`."""
        return time.time()

    def has_changed(self) -> bool:
        """See `Database.has_changed`."""
        if self.path == MEMORY:
            return False
        version = int(self.read(lambda tx: tx.rows("PRAGMA data_version"))[0][0])
        was, self._seen = self._seen, version
        return was != version

    def announce(self) -> None:
        """Others see it by `data_version`."""

    def close(self) -> None:
        """See `Database.close`."""
        with self._lock:
            self._disconnect()

    def __del__(self) -> None:
        self._disconnect()

    def before_fork(self) -> None:
        """Close the file, since SQLite keeps its locks by process and knows nothing of forks.

        A child that inherited an open file would believe that it holds its parent's locks, and could lose commits.
        """
        self._is_held = self._lock.acquire(timeout=_LOCK_TIMEOUT)
        if self._is_held and self.path != MEMORY:
            self._disconnect()

    def after_fork(self, *, is_child: bool) -> None:
        """Go on, in the child as a stranger to what was in memory."""
        if not is_child:
            if self._is_held:
                self._lock.release()
            return
        self._lock = threading.RLock()
        self._jobs.clear()
        self._leave_to_parent()

    def _open(self) -> sqlite3.Connection:
        if self._pid != os.getpid():
            self._leave_to_parent()  # forked by something that Python was not told of
        if self._connection is not None and self._is_replaced():
            self._disconnect()
        if self._connection is None:
            self._connection = _patiently(lambda: connect(self.path))
            self._inode = _inode(self.path)
        return self._connection

    def _is_replaced(self) -> bool:
        # Who deletes the file would otherwise have a process that writes into nowhere.
        return self.path != MEMORY and _inode(self.path) != self._inode

    def _disconnect(self) -> None:
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()
            self._connection = None

    def _leave_to_parent(self) -> None:
        forks.keep_for_ever(self._connection)
        self._connection, self._pid = None, os.getpid()

    def _commit(self, own: _Job[Any]) -> None:
        jobs = list(self._jobs)
        self._jobs.clear()
        if own not in jobs:
            jobs.append(own)  # a thread that took it was interrupted
        try:
            connection = self._open()
            _patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
            try:
                _run_all(connection, jobs)
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
        except sqlite3.Error as error:
            for job in jobs:
                job.error = refusal(error, self.path)
            if self.path != MEMORY:
                self._disconnect()  # whatever state it is in
        for job in jobs:
            job.is_done = True


def _run_all(connection: sqlite3.Connection, jobs: list[_Job[Any]]) -> None:
    statements = _Statements(connection)
    for job in jobs:
        connection.execute("SAVEPOINT job")
        try:
            job.run(statements)
        except Exception as error:
            if type(error) in _FAILURES:
                raise
            job.error = error  # its own thread raises it
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # a full disk has rolled it back already
        connection.execute("ROLLBACK")


def _patiently(action: Callable[[], T]) -> T:
    """Do it once other processes let go of the file.

    SQLite would wait by itself, but sleeps longer and longer: who waits long then never comes first.
    """
    deadline, nap = time.monotonic() + _LOCK_TIMEOUT, _FIRST_NAP
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0, nap))  # noqa: S311 - spreads the processes
        nap = min(nap * 2, _LONGEST_NAP)


def _inode(path: str) -> Optional[tuple[int, int]]:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
