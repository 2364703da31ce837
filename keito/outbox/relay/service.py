"""A process that sends what is in a store: `python -m keito relay`."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Optional

from keito.outbox.destination import destination_of
from keito.outbox.relay.housekeeping import Chore
from keito.outbox.relay.relay import Relay
from keito.outbox.stored import RecordState
from keito.outbox.stores.open_store import open_store

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.outbox.relay.metrics import MetricsServer
    from keito.outbox.store import Store

_log = logging.getLogger("keito.billing")

_GLANCE = 1.0
"""Seconds between two looks whether it is to end."""


def run_relay(
    url: Optional[str] = None,
    *,
    client: Optional[Keito] = None,
    port: Optional[int] = None,
    host: str = "127.0.0.1",
    concurrency: int = 8,
    timeout: float = 10.0,
    quiet: float = 30.0,
    drain: float = 20.0,
    chores: Optional[Callable[[Store, str], Sequence[Chore]]] = None,
    ready: Optional[Callable[[str], None]] = None,
) -> bool:
    """Send what is in a store until SIGTERM or SIGINT comes; then finish what is on its way, and return.

    What an operator had to put right is tried again when it starts. Call it in the main thread: signals end it.

    Args:
        url: The store; `KEITO_OUTBOX_URL` if not given, else the default one.
        client: Posts the records; by default one with the credentials of the environment.
        port: Where to answer `/healthz` and `/metrics`; 0 takes a free port, `None` answers nowhere.
        host: The address of that.
        concurrency: How many records are on their way at a time.
        timeout: Seconds that one attempt may take.
        quiet: Seconds after the start of an attempt of unknown fate before Keito is asked what has become of it.
        drain: Seconds that what is on its way has to end after the signal.
        chores: Makes what else is to be done in a store for a destination, such as closing the windows of rollups.
        ready: Called once it works, with the URL of `/healthz` and `/metrics`, or an empty text.

    Returns:
        Whether everything that was on its way is settled. What is not is asked for by the next relay.

    Raises:
        KeitoAuthError: There are no credentials.
        OutboxError: The store cannot be used.
        OSError: The port cannot be had.
    """
    from keito.client import Keito  # noqa: PLC0415 - brings httpx along

    store = open_store(url)
    client = client or Keito()
    relay = Relay(
        store,
        client,
        destination_of(client),
        concurrency=concurrency,
        timeout=timeout,
        quiet=quiet,
        chores=[] if chores is None else chores(store, destination_of(client)),
    )
    ending = threading.Event()
    try:
        store.release(relay.destination, [RecordState.HELD])
        with _answering(relay, host, port) as address, _signals(relay, ending), _woken_by(store, relay, ending):
            if ready is not None:
                ready(address)
            relay.work(ending.is_set)
            _log.info("Finishing what is on its way")
            return relay.drain(drain)
    finally:
        store.close()


@contextmanager
def _answering(relay: Relay, host: str, port: Optional[int]) -> Generator[str]:
    if port is None:
        yield ""
        return
    from keito.outbox.relay.metrics import MetricsServer  # noqa: PLC0415 - an extra

    server: MetricsServer = MetricsServer(relay, host, port)
    try:
        yield server.url
    finally:
        server.close()


@contextmanager
def _signals(relay: Relay, ending: threading.Event) -> Generator[None]:
    """End at SIGTERM and SIGINT. A second one does what it did before."""

    def end(number: int, _: Optional[FrameType]) -> None:
        ending.set()
        relay.wake()
        signal.signal(number, before[signal.Signals(number)])

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears of signals
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _woken_by(store: Store, relay: Relay, ending: threading.Event) -> Generator[None]:
    """Let the relay know at once when another process has added something."""

    def listen() -> None:
        while not ending.is_set():
            try:
                if store.wait(_GLANCE):
                    relay.wake()
            except Exception:  # noqa: PERF203 - the relay says what is wrong with the store
                ending.wait(_GLANCE)

    thread = threading.Thread(target=listen, name="keito-listener", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        store.wake()
        thread.join()
