"""SQLite under an asynchronous server: one thread writes, others read beside it.

SQLite takes one writer at a time, so writes queue for one thread instead of fighting for the lock; in WAL mode
readers never wait for it. A database in memory has one connection, which then serves reads too.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

from keito.sandbox.tables import INDEXES, SCHEMA_VERSION, TABLES

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

READERS = 4
_CACHE_KIB = 64 * 1024


class Storage:
    """The database of a sandbox.

    Args:
        path: the file that keeps the state; None keeps it in memory.
    """

    def __init__(self, path: Optional[Path] = None) -> None:
        self._path = path
        self._connections: list[sqlite3.Connection] = []
        self._local = threading.local()
        self._writer = ThreadPoolExecutor(1, "keito-sandbox-writer")
        self._readers = ThreadPoolExecutor(READERS, "keito-sandbox-reader") if path else self._writer
        try:
            self.write(prepare).result()
        except sqlite3.DatabaseError as error:
            self.close()
            raise RuntimeError(f"{path} cannot be used: {error}") from error
        except BaseException:
            self.close()
            raise

    def write(self, job: Job[T]) -> Future[T]:
        """Run `job` in a transaction of the writer: all of it is committed, or nothing."""
        return self._writer.submit(self._run, "BEGIN IMMEDIATE", job)

    def read(self, job: Job[T]) -> Future[T]:
        """Run `job` on one unchanging view of the data."""
        return self._readers.submit(self._run, "BEGIN", job)

    def close(self) -> None:
        """Finish what was queued and close every connection."""
        self._writer.shutdown()
        self._readers.shutdown()
        while self._connections:
            self._connections.pop().close()

    def _run(self, begin: str, job: Job[T]) -> T:
        connection = self._connection()
        connection.execute(begin)
        try:
            result = job(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return result

    def _connection(self) -> sqlite3.Connection:
        connection: Optional[sqlite3.Connection] = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._connections.append(connection)
            self._configure(connection)
            self._local.connection = connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        # Each connection stays with its thread; only close() reaches over, when the threads have ended.
        connection = sqlite3.connect(
            self._path or ":memory:", isolation_level=None, check_same_thread=False, timeout=30
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _configure(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if self._path:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")


def prepare(db: sqlite3.Connection) -> None:
    """Create the tables in a new database; refuse one that another version of keito made."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    if version != 0 or db.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise RuntimeError("the database was not made by this version of the sandbox: choose another file")
    for statement in (*TABLES.split(";\n"), *INDEXES):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def insert(db: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    """Add a row and give its number."""
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    # Table and column names come from the code, never from a request.
    cursor = db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
    return cursor.lastrowid or 0


def update(db: sqlite3.Connection, table: str, no: int, changes: Mapping[str, Any]) -> None:
    """Change a row by its number."""
    if changes:
        assignments = ", ".join(f"{name} = ?" for name in changes)
        db.execute(f"UPDATE {table} SET {assignments} WHERE no = ?", (*changes.values(), no))  # noqa: S608
