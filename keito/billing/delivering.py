"""How the records of a billing get to Keito, unless it is told otherwise."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Optional

from typing_extensions import Literal

from keito.outbox import Delivery, DirectDelivery
from keito.outbox.destination import destination, destination_of
from keito.outbox.stores.open_store import default_url

if TYPE_CHECKING:
    from keito.billing.bookkeeping import Bookkeeping
    from keito.billing.guard import Guard
    from keito.client import Keito
    from keito.outbox.durable import OutboxDelivery
    from keito.outbox.hooks import Hook

Deliver = Literal["in_background", "on_exit_of_run", "by_relay"]


def delivery_for(
    client: Optional[Keito],
    outbox: Optional[str] = None,
    deliver: Deliver = "in_background",
    on_delivered: Optional[Hook] = None,
    on_dead: Optional[Hook] = None,
) -> Delivery:
    """A delivery through the outbox at a URL; for `direct://` one without, that raises what fails.

    Args:
        client: Posts the records; by default one with the credentials of the environment.
        outbox: The URL of a store; by default what `KEITO_OUTBOX_URL` says, else a file of the user's.
        deliver: Who sends, and when.
        on_delivered: Called with each record that Keito has.
        on_dead: Called with each record that Keito refuses for good.

    Raises:
        KeitoAuthError: There are no credentials.
        ValueError: The URL is none, or `deliver` is none of the three, or there are hooks without an outbox.
        OutboxError: The store cannot be opened.
    """
    url = outbox or default_url()
    if url.lower().startswith("direct:"):
        if on_delivered is not None or on_dead is not None:
            raise ValueError("on_delivered and on_dead need an outbox, which direct:// is not")
        return (
            DirectDelivery(_checked(client), raises=True) if client is not None else _OwnDelivery(_made(), raises=True)
        )
    from keito.outbox.durable import DeliverMode, OutboxDelivery  # noqa: PLC0415 - brings a relay along

    mode = DeliverMode(deliver)
    if mode is DeliverMode.BY_RELAY and client is None:
        return OutboxDelivery(url, destination=_of_environment(), mode=mode, on_delivered=on_delivered, on_dead=on_dead)
    if client is not None:
        return OutboxDelivery(url, _checked(client), mode=mode, on_delivered=on_delivered, on_dead=on_dead)
    made = _made()  # now, so that missing credentials are said at once
    where = destination_of(made)
    return OutboxDelivery(url, lambda: made, destination=where, mode=mode, on_delivered=on_delivered, on_dead=on_dead)


def books_of(delivery: Delivery, guard: Guard) -> Optional[Bookkeeping]:
    """What keeps the store of a delivery informed; `None` where it has none."""
    if not hasattr(delivery, "store"):
        return None
    from keito.billing.bookkeeping import Bookkeeping  # noqa: PLC0415 - a delivery without store does without

    durable: OutboxDelivery = delivery  # type: ignore[assignment]
    return Bookkeeping(durable, guard)


class _OwnDelivery(DirectDelivery):
    """Posts through a client of its own."""

    def close(self) -> None:
        super().close()
        self._client.close()


def _made() -> Keito:
    # Imported here: the client brings httpx and pydantic along, which a fresh process pays for only once it bills.
    from keito.client import Keito  # noqa: PLC0415

    return Keito()


def _checked(client: Keito) -> Keito:
    from keito.client import Keito  # noqa: PLC0415

    if not isinstance(client, Keito):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"AgentBilling posts through a keito.Keito, also in async programs; got {client!r}")
    return client


def _of_environment() -> str:
    """The account for which another process sends. It needs no key."""
    from keito.core.config import base_url_of  # noqa: PLC0415 - brings httpx along
    from keito.core.errors import KeitoAuthError  # noqa: PLC0415

    account_id = os.environ.get("KEITO_ACCOUNT_ID", "")
    if not account_id:
        words = 'deliver="by_relay" needs to know for whom: set KEITO_ACCOUNT_ID'
        raise KeitoAuthError(body={"error": "unauthorized", "error_description": words})
    return destination(str(base_url_of()), account_id)
