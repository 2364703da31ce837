"""Hearing of what others add to a store on PostgreSQL."""

from __future__ import annotations

import threading
import time
from typing import Optional

import psycopg

from keito.outbox.stores.database import Row
from keito.outbox.stores.postgres_server import Server

_AFTER_FAILURE = 1.0
"""Seconds without a connection, after which somebody should look by himself, and a new one is tried."""


class Listener:
    """A connection that listens, opened when it is asked first.

    Args:
        server: Opens it.
        echo: Seconds after a notification when it is repeated: who notified may be silent about what came just after.
    """

    def __init__(self, server: Server, echo: float) -> None:
        self._server = server
        self._echo = echo
        self._echo_at: Optional[float] = None
        self._retry_at = 0.0
        self._connection: Optional[psycopg.Connection[Row]] = None
        self._lock = threading.Lock()

    def has_news(self) -> bool:
        """Whether a notification came since this was asked last, or may have been missed. It does not wait."""
        now = time.monotonic()
        with self._lock:
            if now < self._retry_at:
                return False
            try:
                if self._was_notified():
                    self._echo_at = now + self._echo
                    return True
            except psycopg.Error:
                self._disconnect()
                self._retry_at = now + _AFTER_FAILURE
                return True
            if self._echo_at is not None and now >= self._echo_at:
                self._echo_at = None
                return True
            return False

    def close(self) -> None:
        """Stop listening until it is asked again."""
        with self._lock:
            self._disconnect()

    def _was_notified(self) -> bool:
        if self._connection is None:
            self._connection = self._server.connect()
            self._connection.execute(f'LISTEN "{self._server.channel}"'.encode())
            return True  # what came before is not known
        pgconn = self._connection.pgconn
        pgconn.consume_input()
        was_notified = False
        while pgconn.notifies():
            was_notified = True
        return was_notified

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
