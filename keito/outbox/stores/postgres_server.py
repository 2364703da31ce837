"""Connecting to the schema of a store on PostgreSQL, and what errors of the server mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

import psycopg
from psycopg import conninfo, sql

from keito.outbox.errors import OutboxError
from keito.outbox.stores.database import Row
from keito.outbox.stores.postgres_sql import (
    CREATE_VERSION,
    INSERT_VERSION,
    LOCK_MIGRATIONS,
    MIGRATIONS,
    SCHEMA_EXISTS,
    SET_VERSION,
    VERSION,
    VERSION_EXISTS,
)

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,56}\Z")

_DEFAULTS = {
    "connect_timeout": "5",
    # A server that vanishes without a word is noticed within this time, in milliseconds.
    "tcp_user_timeout": "10000",
    "application_name": "keito",
}

_ADVICE = {
    "42501": "grant the user the right to create a schema in the database, or to use the existing one",
    "53100": "the server's disk is full: make room",
    "53300": "the server has too many connections",
    "25006": "the server is read-only: name the primary one",
}

_REFUSALS = {
    "authentication failed": "check the user and the password",
    "no password": "name a password",
    "no pg_hba.conf entry": "let this machine in, in the server's pg_hba.conf",
    "does not exist": "create it",
}
"""What a server says before there is a connection, which comes without a state."""


class Server:
    """Knows how to connect.

    Args:
        url: What libpq takes.
        schema: Where the tables are, or will be.

    Raises:
        ValueError: The URL is not one that libpq takes, or the schema has no plain name.
    """

    def __init__(self, url: str, schema: str) -> None:
        if not _SCHEMA.match(schema):
            raise ValueError(f"the schema of a store is a plain name in lower case, not {schema!r}")
        self._settings = {**_DEFAULTS, **_settings(url)}
        self.schema = schema
        self.channel = f"keito_{schema}"
        self.name = _name(self._settings, schema)
        self._is_ready = False

    def connect(self) -> psycopg.Connection[Row]:
        """Open a connection to the schema, and bring it up to date.

        Raises:
            psycopg.Error: There is none.
            OutboxError: The schema is of a newer keito.
        """
        connection: psycopg.Connection[Row] = psycopg.connect(conninfo.make_conninfo(**self._settings), autocommit=True)
        try:
            connection.execute("SELECT set_config('search_path', %s, false)", [self.schema])
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            if not self._is_ready:
                self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def refusal(self, error: psycopg.Error) -> Exception:
        """What a user is told of an error of the server."""
        advice = _advice(error)
        password = str(self._settings.get("password") or "")
        said = " ".join(str(error).split())
        said = said.replace(password, "***") if password else said
        return OutboxError(
            f"outbox {self.name}: {said}" if advice is None else f"outbox {self.name}: {advice} ({said})"
        )

    def _migrate(self, connection: psycopg.Connection[Row]) -> None:
        with connection.transaction():
            _one(connection, LOCK_MIGRATIONS, schema=self.schema)
            if not _one(connection, SCHEMA_EXISTS, schema=self.schema):
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self.schema)))
            if not _one(connection, VERSION_EXISTS):
                connection.execute(CREATE_VERSION)
                connection.execute(INSERT_VERSION)
            self._bring_up_to_date(connection, int(_one(connection, VERSION)))
        self._is_ready = True

    def _bring_up_to_date(self, connection: psycopg.Connection[Row], version: int) -> None:
        if version > len(MIGRATIONS):
            raise self.refusal(psycopg.Error(f"it is of a newer keito (version {version}): upgrade this one"))
        for migration in MIGRATIONS[version:]:
            for statement in migration:
                connection.execute(statement.encode())
        if version < len(MIGRATIONS):
            connection.execute(SET_VERSION, {"version": len(MIGRATIONS)})


def may_pass(error: psycopg.Error) -> bool:
    """Whether the same may succeed a little later."""
    state = error.sqlstate
    if state is None:  # the connection was lost, or there was none
        return _advice(error) is None
    # 08: connection; 40: rolled back; 57P: shut down; 53300: too many connections.
    return state.startswith(("08", "40", "57P")) or state == "53300"


def _advice(error: psycopg.Error) -> Optional[str]:
    if error.sqlstate is None:
        return next((advice for part, advice in _REFUSALS.items() if part in str(error)), None)
    return _ADVICE.get(error.sqlstate)


def _one(connection: psycopg.Connection[Row], query: str, **values: str) -> Any:
    row = connection.execute(query.encode(), values).fetchone()
    return None if row is None else row[0]


def _settings(url: str) -> dict[str, Any]:
    try:
        return conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        # What libpq says may quote the password.
        raise ValueError("the URL of the store is not one that PostgreSQL takes") from None


def _name(settings: Mapping[str, Any], schema: str) -> str:
    user = f"{settings['user']}@" if settings.get("user") else ""
    port = f":{settings['port']}" if settings.get("port") else ""
    host = settings.get("host") or settings.get("hostaddr") or ""
    return f"postgresql://{user}{host}{port}/{settings.get('dbname') or ''}?schema={schema}"
