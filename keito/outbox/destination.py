"""Which Keito account records go to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from keito.client import AsyncKeito, Keito


def destination(base_url: str, account_id: str) -> str:
    """One text for a server and an account: a relay sends only what is meant for its own.

    Keys are secret and change; the account stays. A WorkOS token names its account itself, so there it is "-".
    """
    base = base_url.rstrip("/")
    base = base.removesuffix("/api/v2")
    return f"{account_id or '-'}@{base}"


def destination_of(client: Union[Keito, AsyncKeito]) -> str:
    """Where a client's records go."""
    return destination(client.base_url, client.account_id)
