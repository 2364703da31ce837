"""What the threads of a relay do: they send records, and ask for those in doubt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Union

from keito.core.deadline import deadline as this_thread
from keito.outbox.relay.attempt import Attempt, attempt
from keito.outbox.relay.backoff import Backoff
from keito.outbox.relay.reconcile import Reconciliation, reconcile
from keito.outbox.stored import StoredRecord

if TYPE_CHECKING:
    from keito.client import Keito

MARGIN = 1.0
"""Seconds of a lease that remain for the settlement after an attempt that took its whole timeout."""


@dataclass(frozen=True)
class Unsent:
    """A record that was claimed, and certainly not sent."""

    key: str


class Sender:
    """Sends through a client, or through the one that it makes.

    Args:
        client: Posts records, or makes the client that does.
        timeout: Seconds that one attempt may take.
        quiet: Seconds after the start of an attempt of unknown fate before Keito is asked what has become of it.
        backoff: How long to wait after failures.
        clock: Tells the time, in seconds.
    """

    def __init__(
        self,
        client: Union[Keito, Callable[[], Keito]],
        timeout: float,
        quiet: float,
        backoff: Backoff,
        clock: Callable[[], float],
    ) -> None:
        self.timeout = timeout
        self._source = client
        self._client: Optional[Keito] = None
        self._quiet = quiet
        self._backoff = backoff
        self._clock = clock

    @property
    def client(self) -> Keito:
        """Posts the records."""
        client = self._client
        if client is None:
            client = self._client = self._source() if callable(self._source) else self._source
        return client

    def use(self, client: Union[Keito, Callable[[], Keito]]) -> None:
        """Send through this client from now on: whoever gave the one before may close it. One's own is kept."""
        if not callable(self._source):
            self._source, self._client = client, None

    def close(self) -> None:
        """Close the client that was made here, if there is one."""
        if self._client is not None and self._client is not self._source:
            self._client.close()

    def send(self, record: StoredRecord, lease_end: float) -> Union[Attempt, Unsent]:
        """Send a record, unless its lease may end before it is settled: then another relay may have it by now."""
        end = lease_end - MARGIN
        if self._clock() > end - self.timeout:
            return Unsent(record.key)
        this_thread.permit = end  # the process may be frozen between these lines and the first byte
        try:
            return attempt(self.client, record, timeout=self.timeout, quiet=self._quiet, backoff=self._backoff)
        finally:
            this_thread.permit = None

    def ask(self, records: Sequence[StoredRecord], seconds: float, now: float, failures: int) -> Reconciliation:
        """Ask for records in doubt.

        Args:
            records: All of one project, day and resource.
            seconds: How long it may take.
            now: The present moment, by the store's clock.
            failures: How often nothing was to be learned in a row.
        """
        return reconcile(
            self.client,
            records,
            deadline=time.monotonic() + seconds,
            timeout=self.timeout,
            now=now,
            backoff=self._backoff,
            failures=failures,
        )
