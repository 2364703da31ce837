"""Opening the store that a URL names."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Optional
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

if TYPE_CHECKING:
    from keito.outbox.store import Store
    from keito.outbox.stores.database import Database
    from keito.outbox.stores.queries import Queries

_log = logging.getLogger("keito.billing")

_FORMS = "sqlite:///PATH, postgresql://USER@HOST/DATABASE, or memory://"


def open_store(url: Optional[str] = None) -> Store:
    """The store of billing records at a URL. Nothing is opened before it is used first.

    `sqlite:///outbox.db` is relative to the working directory, `sqlite:////var/lib/keito/outbox.db` is not.
    `postgresql://` takes what libpq takes, and `?schema=`. `memory://` forgets everything when the process ends. Each
    takes `?limit=`, the most undelivered records that it may have.

    Args:
        url: Where it is; by default `KEITO_OUTBOX_URL`, or `outbox.db` in the user's state directory.

    Raises:
        ValueError: It is no such URL.
        ImportError: It is a PostgreSQL URL, and psycopg is not installed.
    """
    url = url or default_url()
    scheme = url.split(":", 1)[0].lower()
    if scheme == "sqlite":
        return _sqlite(url)
    if scheme in ("postgresql", "postgres"):
        return _postgres(url)
    if scheme == "memory":
        return _memory(url)
    if scheme == "direct":
        raise ValueError("direct:// is delivery without a store")
    raise ValueError(f"a store of billing records is {_FORMS}, not {scheme}{':' if ':' in url else ''}")


def default_url() -> str:
    """Where billing records are kept unless somebody says otherwise."""
    url = os.environ.get("KEITO_OUTBOX_URL", "").strip()
    if url:
        return url
    from platformdirs import user_state_dir  # noqa: PLC0415

    return f"sqlite:///{Path(user_state_dir('keito', appauthor=False)) / 'outbox.db'}"


def _sqlite(url: str) -> Store:
    from keito.outbox.stores.sqlite_database import SqliteDatabase  # noqa: PLC0415
    from keito.outbox.stores.sqlite_sql import QUERIES  # noqa: PLC0415

    rest, options = _split(url, "sqlite:///")
    if rest in ("", ":memory:"):
        raise ValueError(f"{url} names no file; {_FORMS}")
    path = Path(rest).expanduser().absolute()  # another working directory later makes no difference
    return _store(SqliteDatabase(str(path)), QUERIES, f"sqlite:///{path}", options)


def _memory(url: str) -> Store:
    from keito.outbox.stores.sqlite_database import SqliteDatabase  # noqa: PLC0415
    from keito.outbox.stores.sqlite_file import MEMORY  # noqa: PLC0415
    from keito.outbox.stores.sqlite_sql import QUERIES  # noqa: PLC0415

    rest, options = _split(url, "memory://")
    if rest:
        raise ValueError(f"memory:// has no path: {url}")
    _log.warning("KEITO: the outbox is memory:// - what is not delivered when this process ends is lost, unbilled")
    return _store(SqliteDatabase(MEMORY), QUERIES, "memory://", options)


def _postgres(url: str) -> Store:
    try:
        from keito.outbox.stores.postgres_database import PostgresDatabase  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(f'A store on PostgreSQL needs psycopg: pip install "keito[postgres]" ({error})') from error
    from keito.outbox.stores.postgres_server import Server  # noqa: PLC0415
    from keito.outbox.stores.postgres_sql import QUERIES  # noqa: PLC0415

    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    ours = {name: options.pop(name) for name in ("limit",) if name in options}
    schema = options.pop("schema", "keito")
    server = Server(urlunsplit(parts._replace(query=urlencode(options, quote_via=quote))), schema)
    return _store(PostgresDatabase(server), QUERIES, server.name, ours)


def _store(database: Database, queries: Queries, url: str, options: dict[str, str]) -> Store:
    from keito.outbox.stores.sql_store import DEFAULT_LIMIT, SqlStore  # noqa: PLC0415

    limit = options.pop("limit", str(DEFAULT_LIMIT))
    if not limit.isdecimal() or int(limit) < 1 or options:
        raise ValueError(f"a store has one option, ?limit=NUMBER of 1 or more; {', '.join(options) or limit} is none")
    return SqlStore(database, queries, url, int(limit))


def _split(url: str, start: str) -> tuple[str, dict[str, str]]:
    """What follows the start of a URL, and its options."""
    if not url.lower().startswith(start):
        raise ValueError(f"a store of billing records is {_FORMS}, not {url}")
    rest, _, query = url[len(start) :].partition("?")
    return rest, dict(parse_qsl(query, keep_blank_values=True))
