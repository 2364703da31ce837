"""A process that sends what is in a store: `python -m keito relay`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from keito.client import Keito

Chore = Callable[[], Optional[float]]
"""Something to do from time to time; answers in how many seconds to do it again, `None` for never."""


def run_relay(
    url: Optional[str] = None,
    *,
    client: Optional[Keito] = None,
    port: Optional[int] = None,
    host: str = "127.0.0.1",
    concurrency: int = 8,
    quiet: float = 30.0,
    drain: float = 20.0,
    chores: Sequence[Chore] = (),
    ready: Optional[Callable[[str], None]] = None,
) -> None:
    """Send what is in a store until SIGTERM or SIGINT comes; then finish what is on its way, and return.

    Args:
        url: The store; `KEITO_OUTBOX_URL` if not given, else the default one.
        client: Posts the records; by default one with the credentials of the environment.
        port: Where to answer `/healthz` and `/metrics`; 0 takes a free port, `None` answers nowhere.
        host: The address of that.
        concurrency: How many records are on their way at a time.
        quiet: Seconds after the start of an attempt of unknown fate before Keito is asked what has become of it.
        drain: Seconds that what is on its way has to end after the signal.
        chores: What else is to be done, such as closing the windows of rollups.
        ready: Called once it works, with the URL of `/healthz` and `/metrics`, or an empty text.

    Raises:
        KeitoAuthError: There are no credentials.
        OutboxError: The store cannot be opened.
        OSError: The port cannot be had.
    """
    raise NotImplementedError
