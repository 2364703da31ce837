"""Delivery through a store: a record is safe before the run's end returns, and a relay gets it to Keito."""

from __future__ import annotations

import json
import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Optional, Union

from keito.outbox.bounded import bounded
from keito.outbox.delivery import FlushReport
from keito.outbox.destination import destination_of
from keito.outbox.hooks import Hook, Hooks
from keito.outbox.record import BillingRecord
from keito.outbox.registry import registry
from keito.outbox.relay.housekeeping import Chore
from keito.outbox.stored import RecordState, WindowShare

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.outbox.relay.background import Background
    from keito.outbox.store import Store

_log = logging.getLogger("keito.billing")

_OVERTIME = 0.25
"""Seconds for which a flush waits for the store beyond its time."""

_MAY_PASS = ("disk is full", "No space left", "quota exceeded", "kept it locked")
"""What may be over when there is something to keep."""


class DeliverMode(str, Enum):
    """Who sends what was committed.

    `in_background`: threads of this process. `on_exit_of_run`: the same, and the run's end waits for them, for
    programs that are frozen afterwards. `by_relay`: another process, `python -m keito relay`.
    """

    IN_BACKGROUND = "in_background"
    ON_EXIT_OF_RUN = "on_exit_of_run"
    BY_RELAY = "by_relay"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def _missing_(cls, value: object) -> None:
        raise ValueError(f"deliver is one of {', '.join(repr(mode.value) for mode in cls)}; got {value!r}")


class OutboxDelivery:
    """Commits records to a store, from which a relay sends them. Nothing that was committed is lost or sent twice.

    Deliveries of one process with the same store and destination share one relay, with the settings of the first and
    the client of the last.

    Args:
        store: Keeps the records: the URL of one, which the deliveries of this process share and the last one closes;
            or one that the caller has opened, and closes after this delivery.
        client: Posts the records, or makes the client that does; it is made when there is something to send. `None`
            where another process sends.
        destination: Whom they are for; by default the client's account. Needed where `client` makes one or is `None`.
        mode: Who sends, and when.
        timeout: Seconds that one attempt may take. In `on_exit_of_run` a run's end waits for so long at most.
        concurrency: How many records are on their way at a time.
        quiet: Seconds after the start of an attempt of unknown fate before Keito is asked what has become of it.
        on_delivered: Called with each record of this delivery that Keito has, in a thread of its own.
        on_dead: The same for each record that Keito refuses for good.
        chores: What the relay does from time to time beside sending, such as closing the windows of rollups.

    Raises:
        OutboxError: The store cannot be opened.
        ValueError: The destination is missing.
    """

    def __init__(
        self,
        store: Union[Store, str],
        client: Union[Keito, Callable[[], Keito], None] = None,
        *,
        destination: Optional[str] = None,
        mode: Union[DeliverMode, str] = DeliverMode.IN_BACKGROUND,
        timeout: float = 10.0,
        concurrency: int = 8,
        quiet: float = 30.0,
        on_delivered: Optional[Hook] = None,
        on_dead: Optional[Hook] = None,
        chores: Sequence[Chore] = (),
    ) -> None:
        self.mode = DeliverMode(mode)
        self.destination = _destination(client) if destination is None else destination

        def background(opened: Store) -> Background:
            from keito.outbox.relay.background import Background  # noqa: PLC0415 - who only commits does without
            from keito.outbox.relay.relay import Relay  # noqa: PLC0415

            assert client is not None
            relay = Relay(
                opened, client, self.destination, concurrency=concurrency, timeout=timeout, quiet=quiet, chores=chores
            )
            return Background(relay)

        sends = self.mode is not DeliverMode.BY_RELAY and client is not None
        self._shared = registry.take(store, self.destination, background if sends else None)
        if self._shared.background is not None and client is not None:
            self._shared.background.relay.sender.use(client)
        self._end = weakref.finalize(self, registry.leave, self._shared)
        self._end.atexit = False  # the registry sees to it
        self._timeout = timeout
        self._open()
        self._since = self.store.now()
        self._hooks = self._hooked({RecordState.DELIVERED: on_delivered, RecordState.DEAD: on_dead})
        self._committed = self._dropped = 0
        self._lock = threading.Lock()

    @property
    def store(self) -> Store:
        """Keeps the records."""
        return self._shared.store

    def deliver(self, records: Sequence[BillingRecord]) -> None:
        """Commit the records of a run, and wake the relay."""
        self.commit(records)

    def commit(
        self, records: Sequence[BillingRecord], *, run_id: Optional[str] = None, shares: Sequence[WindowShare] = ()
    ) -> Optional[Sequence[str]]:
        """Commit the records of a run, and its shares of windows, and wake the relay.

        Args:
            records: What is to be posted.
            run_id: The run, whose journal goes in the same transaction.
            shares: What is to be posted with the windows that it is a part of.

        Returns:
            The keys that the store did not have; `None` if nothing could be committed, which is logged and counted.
        """
        keys = self._commit(records, run_id, shares)
        self.wake()
        if self.mode is DeliverMode.ON_EXIT_OF_RUN and keys:
            deadline = time.monotonic() + self._timeout
            bounded(self._timeout, lambda: self._shared.wait_for_own(deadline, keys), lambda: None)
        return keys

    def accept(self, records: Sequence[BillingRecord]) -> None:
        """Commit records that the next `flush` is to send."""
        self._commit(records, None, ())

    def committed(self, keys: Sequence[str]) -> None:
        """The store has taken these records on another way, such as those of a window: see to them as to its own."""
        if keys:
            self._expect(keys)
            self.wake()

    def wake(self) -> None:
        """There is something in the store to send."""
        if self._shared.background is not None:
            self._shared.background.wake()

    def flush(self, timeout: float = 10.0) -> FlushReport:
        """Send what can be sent within `timeout` seconds, and say where everything of this destination stands.

        What is held for an operator is tried again, once.
        """
        deadline = time.monotonic() + timeout

        def work() -> FlushReport:
            try:
                self._retry()
                self._shared.wait(deadline)
            except Exception as error:  # the report says what is not sent
                _log.warning("Flushing the outbox failed: %s", error)
            return self.report()

        return bounded(timeout + _OVERTIME, work, self._unknown)

    def report(self) -> FlushReport:
        """Where the records stand, without sending anything."""
        try:
            counts = self.store.counts(self.destination)
            delivered = self.store.delivered_since(self.destination, self._since)
        except Exception as error:  # the agent never breaks
            _log.warning("The outbox cannot be read: %s", error)
            return self._unknown()
        return FlushReport(
            delivered=delivered,
            pending=counts.get(RecordState.PENDING, 0) + counts.get(RecordState.SENDING, 0),
            held=counts.get(RecordState.HELD, 0),
            dead=counts.get(RecordState.DEAD, 0),
            unsure=counts.get(RecordState.UNSURE, 0),
            dropped=self._dropped,
        )

    def close(self) -> None:
        """Send what can be sent within a few seconds; what stays is in the store, for whoever sends next."""
        if self._end.detach() is not None:
            registry.release(self._shared)

    def _open(self) -> None:
        """Find out before anything is lost that the store cannot be used."""
        try:
            self.store.counts(self.destination)
        except Exception as error:
            if not any(words in str(error) for words in _MAY_PASS):
                raise
            _log.warning("The outbox cannot be opened now: %s", error)  # the agent goes on

    def _unknown(self) -> FlushReport:
        # Nobody can say where they are: that must not look like success.
        return FlushReport(unsure=max(1, self._committed), dropped=self._dropped)

    def _commit(
        self, records: Sequence[BillingRecord], run_id: Optional[str], shares: Sequence[WindowShare]
    ) -> Optional[Sequence[str]]:
        try:
            keys = self.store.add(records, self.destination, run_id=run_id, shares=shares)
        except Exception as error:  # the agent never breaks
            self._drop(records, shares, error)
            return None
        self._expect(keys)
        return keys

    def _expect(self, keys: Sequence[str]) -> None:
        with self._lock:
            self._committed += len(keys)
        self._shared.committed(keys)
        if self._hooks is not None and keys:
            self._hooks.expect(keys)

    def _hooked(self, by_state: Mapping[RecordState, Optional[Hook]]) -> Optional[Hooks]:
        given = {state: hook for state, hook in by_state.items() if hook is not None}
        if not given:
            return None
        hooks = Hooks(self.store, given)
        self._shared.hooks.append(hooks)
        return hooks

    def _drop(self, records: Sequence[BillingRecord], shares: Sequence[WindowShare], error: Exception) -> None:
        with self._lock:
            self._dropped += len(records) + len(shares)
        _log.error("%d records cannot be kept: %s", len(records) + len(shares), error)
        for record in records:
            body = json.dumps(record.body, default=str, separators=(",", ":"))
            _log.error("%s %s is not in the outbox: %s", record.kind, record.key, body)
        for share in shares:
            _log.error("the share %s of window %s is not in the outbox: %s", share.key, share.window, share.body)

    def _retry(self) -> None:
        self.store.follow_clock(self.destination)
        self.store.release(self.destination, [RecordState.HELD])
        if self._shared.background is not None:
            self._shared.background.relay.probe()
        self.wake()


def _destination(client: Union[Keito, Callable[[], Keito], None]) -> str:
    if client is None or not hasattr(client, "account_id"):
        raise ValueError("destination is missing: only a client says by itself where records go")
    return destination_of(client)  # type: ignore[arg-type]
