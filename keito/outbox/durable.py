"""Delivery through a store: a record is safe before the run's end returns, and a relay gets it to Keito."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Optional, Union

from keito.outbox.delivery import FlushReport
from keito.outbox.destination import destination_of
from keito.outbox.record import BillingRecord
from keito.outbox.stored import RecordState, StoredRecord, WindowShare

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.outbox.store import Store

_log = logging.getLogger("keito.billing")

Hook = Callable[[StoredRecord], None]

_GLANCE = 0.2
"""Seconds between two looks at what other processes have sent."""


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


class OutboxDelivery:
    """Commits records to a store, from which a relay sends them. Nothing that was committed is lost or sent twice.

    Args:
        store: Keeps the records. Who opened it closes it, after this delivery.
        client: Posts the records, or makes the client that does; it is made when there is something to send. `None`
            where another process sends.
        destination: Whom they are for; by default the client's account. Needed where `client` makes one or is `None`.
        mode: Who sends, and when.
        timeout: Seconds that one attempt may take. In `on_exit_of_run` a run's end waits for so long at most.
        concurrency: How many records are on their way at a time.
        quiet: Seconds after the start of an attempt of unknown fate before Keito is asked what has become of it.
        on_delivered: Called with each record of this delivery that Keito has, in a thread of its own.
        on_dead: The same for each record that Keito refuses for good.
        exit_timeout: Seconds that a program's end spends on what is not sent yet.
    """

    def __init__(
        self,
        store: Store,
        client: Union[Keito, Callable[[], Keito], None] = None,
        *,
        destination: Optional[str] = None,
        mode: Union[DeliverMode, str] = DeliverMode.IN_BACKGROUND,
        timeout: float = 10.0,
        concurrency: int = 8,
        quiet: float = 30.0,
        on_delivered: Optional[Hook] = None,
        on_dead: Optional[Hook] = None,
        exit_timeout: float = 5.0,
    ) -> None:
        self.store = store
        self.mode = DeliverMode(mode)
        self.destination = destination if destination is not None else destination_of(client)  # type: ignore[arg-type]
        self._since = store.now()
        self._dropped = 0
        self._lock = threading.Lock()

    def deliver(
        self, records: Sequence[BillingRecord], *, run_id: Optional[str] = None, shares: Sequence[WindowShare] = ()
    ) -> None:
        """Commit the records of a run, and its shares of windows, and wake the relay."""
        self._commit(records, run_id, shares)

    def accept(self, records: Sequence[BillingRecord]) -> None:
        """Commit records that the next `flush` is to send."""
        self._commit(records, None, ())

    def flush(self, timeout: float = 10.0) -> FlushReport:
        """Send what can be sent within `timeout` seconds, and say where everything of this destination stands."""
        deadline = time.monotonic() + timeout
        report = self.report()
        while (report.pending or report.unsure) and time.monotonic() < deadline:
            time.sleep(min(_GLANCE, max(0.0, deadline - time.monotonic())))
            report = self.report()
        return report

    def report(self) -> FlushReport:
        """Where the records stand, without sending anything."""
        counts = self.store.counts(self.destination)
        return FlushReport(
            delivered=self.store.delivered_since(self.destination, self._since),
            pending=counts.get(RecordState.PENDING, 0) + counts.get(RecordState.SENDING, 0),
            held=counts.get(RecordState.HELD, 0),
            dead=counts.get(RecordState.DEAD, 0),
            unsure=counts.get(RecordState.UNSURE, 0),
            dropped=self._dropped,
        )

    def close(self) -> None:
        """Send what can be sent within a few seconds; what stays is in the store."""

    def _commit(self, records: Sequence[BillingRecord], run_id: Optional[str], shares: Sequence[WindowShare]) -> None:
        try:
            self.store.add(records, self.destination, run_id=run_id, shares=shares)
        except Exception as error:  # the agent never breaks
            with self._lock:
                self._dropped += len(records) + len(shares)
            _log.error("%d records could not be committed: %s", len(records), error)
            for record in records:
                _log.error("%s %s is lost: %s", record.kind, record.key, json.dumps(record.body, default=str))
