"""A schema in a PostgreSQL database that any number of machines use."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg

from keito.outbox.stores import forks
from keito.outbox.stores.database import Row, Transaction
from keito.outbox.stores.postgres_listener import Listener
from keito.outbox.stores.postgres_server import Server, may_pass
from keito.outbox.stores.postgres_sql import NOTIFY, NOW

T = TypeVar("T")
Connection = psycopg.Connection[Row]

_MOST_CONNECTIONS = 8
"""Of one process; further threads wait for their turn."""

_PATIENCE = 5.0
"""Seconds to wait for a server that restarts. A run's end waits for so long at most."""

_AFTER_FAILURE = 30.0
"""Seconds without patience after it was in vain: each agent would wait at each run's end."""

_SILENCE = 0.05
"""Seconds between two notifications of a process: committing them is a bottleneck of the whole server."""

_LISTENERS_ECHO = 2 * _SILENCE


class _Statements:
    """A transaction on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, **values: Any) -> list[Row]:
        return self._execute(sql, values).fetchall()

    def run(self, sql: str, **values: Any) -> int:
        return self._execute(sql, values).rowcount

    def each(self, sql: str, many: Iterable[Mapping[str, Any]]) -> list[int]:
        values = list(many)
        if len(values) < 2 or not psycopg.Pipeline.is_supported():
            return [self._execute(sql, one).rowcount for one in values]
        with self._connection.pipeline():  # all of them in one round trip
            cursors = [self._execute(sql, one) for one in values]
        return [cursor.rowcount for cursor in cursors]

    def _execute(self, sql: str, values: Mapping[str, Any]) -> psycopg.Cursor[Row]:
        return self._connection.execute(sql.encode(), values)


class PostgresDatabase:
    """A few connections, opened when they are needed and again when they were lost.

    Args:
        server: Opens them.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._impatient_until = 0.0
        self._silent_until = 0.0
        self._start_anew()
        forks.watch(self)

    def read(self, work: Callable[[Transaction], T]) -> T:
        """See `Database.read`."""
        return self._with_connection(lambda connection: work(_Statements(connection)))

    def write(self, work: Callable[[Transaction], T]) -> T:
        """See `Database.write`."""

        def transact(connection: Connection) -> T:
            with connection.transaction():
                return work(_Statements(connection))

        return self._with_connection(transact)

    def now(self) -> float:
        """See `Database.now`."""
        return float(self.read(lambda tx: tx.rows(NOW))[0][0])

    def has_changed(self) -> bool:
        """See `Database.has_changed`."""
        self._check_process()
        return self._listener.has_news()

    def announce(self) -> None:
        """Notify the listeners, unless that was done just now: they look twice."""
        if time.monotonic() >= self._silent_until:
            self._silent_until = time.monotonic() + _SILENCE
            self.read(lambda tx: tx.rows(NOTIFY, channel=self._server.channel))

    def close(self) -> None:
        """See `Database.close`."""
        self._listener.close()
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()

    def __del__(self) -> None:
        if self._pid == os.getpid():
            self.close()

    def before_fork(self) -> None:
        """Close what nobody uses just now; a child must not touch it."""
        self.close()

    def after_fork(self, *, is_child: bool) -> None:
        """Go on, in the child with connections of its own."""
        if is_child:
            self._start_anew()

    def _start_anew(self) -> None:
        self._pid = os.getpid()
        self._idle: list[Connection] = []
        self._slots = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self._listener = Listener(self._server, _LISTENERS_ECHO)

    def _with_connection(self, action: Callable[[Connection], T]) -> T:
        """Do it, again where the server was lost or chose it as the victim of a deadlock."""
        started = time.monotonic()
        deadline = started + (_PATIENCE if started > self._impatient_until else 0.0)
        while True:
            try:
                with self._connection() as connection:
                    return action(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if not may_pass(error) or time.monotonic() > deadline:
                    self._impatient_until = time.monotonic() + _AFTER_FAILURE
                    raise self._server.refusal(error) from None
            except psycopg.Error as error:
                raise self._server.refusal(error) from None
            time.sleep(random.uniform(0.01, 0.2))  # noqa: S311 - spreads the processes

    @contextmanager
    def _connection(self) -> Generator[Connection]:
        self._check_process()
        with self._slots:
            connection = self._take()
            try:
                yield connection
            finally:
                self._put_back(connection)

    def _take(self) -> Connection:
        with suppress(IndexError):
            return self._idle.pop()
        return self._server.connect()

    def _put_back(self, connection: Connection) -> None:
        if connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def _check_process(self) -> None:
        if self._pid != os.getpid():  # forked by something that Python was not told of
            for connection in self._idle:
                forks.keep_for_ever(connection)
            forks.keep_for_ever(self._listener)
            self._start_anew()
