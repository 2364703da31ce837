"""Opening the SQLite file of a store, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from keito.outbox.errors import OutboxError
from keito.outbox.stores.sqlite_sql import APPLICATION_ID, MIGRATIONS

MEMORY = ":memory:"

MOUNTS = Path("/proc/self/mountinfo")
"""Where Linux tells what is mounted."""

_NETWORK = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "afs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "fuse.glusterfs",
    "lustre",
)

_ADVICE = {
    "locked": "another process has kept it locked for too long",
    "full": "the disk is full: make room",
    "readonly": "it cannot be written: look at the owner and the mode of the file and of its folder",
    "unable to open": "it cannot be opened: look at the owner and the mode of the file and of its folder",
    "disk I/O": "the disk fails",
    "locking protocol": "its file system has no locks: use a local disk, or PostgreSQL",
    "not a database": "it is no SQLite database: move it away, or name another file in KEITO_OUTBOX_URL",
    "malformed": "it is damaged: move it away and keep it, since records that were not sent may be in it",
}


_OLDEST = (3, 31)
"""The first SQLite with generated columns."""


def connect(path: str) -> sqlite3.Connection:
    """Open the file, which only its owner may read, and bring it up to date.

    Raises:
        sqlite3.Error: It cannot be used.
        OutboxError: It cannot be used, for a reason that SQLite does not see.
    """
    if sqlite3.sqlite_version_info < _OLDEST:
        raise refusal(RuntimeError(f"it needs SQLite 3.31, and this Python has {sqlite3.sqlite_version}"), path)
    if path != MEMORY:
        _create(path)
    # Autocommit: transactions are begun by hand. The database's lock guards the connection, whatever its thread.
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        _set_up(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def refusal(error: Exception, path: str) -> Exception:
    """What a user is told of an error of SQLite."""
    advice = next((advice for part, advice in _ADVICE.items() if part in str(error)), None)
    return OutboxError(f"outbox {path}: {error}" if advice is None else f"outbox {path}: {advice} ({error})")


def _create(path: str) -> None:
    kind = _file_system(Path(path))
    if kind in _NETWORK:
        # The log that SQLite writes is shared through memory: two machines would destroy it without a word.
        raise refusal(
            OSError(f"it is on a network file system ({kind}): name a local path or postgresql:// in KEITO_OUTBOX_URL"),
            path,
        )
    try:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives the mode of the database to the files beside it, too.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        reason = OSError(f"{error.strerror}: name a place in KEITO_OUTBOX_URL that can be written")
        raise refusal(reason, path) from error


def _file_system(path: Path) -> str:
    """The type of the file system that a path is on, as far as it is known."""
    try:
        lines = [line.split() for line in MOUNTS.read_text().splitlines()]
    except OSError:
        return ""
    places = {Path(line[4]): line[line.index("-") + 1] for line in lines}
    real = path.resolve()
    return next((places[place] for place in (real, *real.parents) if place in places), "")


def _set_up(connection: sqlite3.Connection, path: str) -> None:
    # A run's end returns after its records are on the disk, not only in the page cache.
    connection.execute("PRAGMA synchronous = FULL")
    _check(connection, path)
    if path != MEMORY:
        connection.execute("PRAGMA journal_mode = WAL")
    if _version(connection) < len(MIGRATIONS):
        _migrate(connection)


def _check(connection: sqlite3.Connection, path: str) -> None:
    version = _version(connection)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise refusal(ValueError("it is some other program's database; name another file"), path)
    if version > len(MIGRATIONS):
        raise refusal(ValueError(f"it is of a newer keito (version {version}): upgrade this one"), path)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in MIGRATIONS[_version(connection) :]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
