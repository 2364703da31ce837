"""The store that commands look into."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from keito.cli.screen import fail

if TYPE_CHECKING:
    from keito.outbox.store import Store

Url = Annotated[
    Optional[str],
    typer.Option(
        "--url",
        envvar="KEITO_OUTBOX_URL",
        show_envvar=True,
        help="The outbox, such as sqlite:///outbox.db or postgresql://...; by default a file in the user's folder.",
    ),
]
"""The option of every command that looks into the outbox."""

_NOT_KEPT = {
    "direct:": "KEITO_OUTBOX_URL is direct://: records are posted at once, and nothing is kept to look into",
    "memory:": "KEITO_OUTBOX_URL is memory://: each process keeps its own records, and no other can look into them",
}


@contextmanager
def opened(url: Optional[str]) -> Generator[Store, None, None]:
    """The store, closed afterwards.

    Raises:
        typer.Exit: There is no such store, or it is of a kind that other processes cannot see.
    """
    store = store_of(url)
    try:
        yield store
    finally:
        store.close()


def store_of(url: Optional[str]) -> Store:
    """The store; its file or server is not touched before it is used.

    Raises:
        typer.Exit: No other process can look into such a store, the URL is wrong, or an extra is missing.
    """
    from keito.outbox.stores.open_store import open_store  # noqa: PLC0415 - brings a database along

    for scheme, reason in _NOT_KEPT.items():
        if (url or "").strip().lower().startswith(scheme):
            raise fail(reason)
    try:
        return open_store(url)
    except (ValueError, ImportError) as error:
        raise fail(f"KEITO_OUTBOX_URL: {error}") from None
