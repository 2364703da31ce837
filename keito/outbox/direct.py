"""Delivery without a store: each record is posted at once."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from keito import telemetry
from keito.outbox.delivery import FlushReport
from keito.outbox.destination import destination_of
from keito.outbox.fate import Fate, advice, fate_after, is_silent, pause_after
from keito.outbox.record import BillingRecord, RecordKind

if TYPE_CHECKING:
    from keito.client import Keito

_log = logging.getLogger("keito.billing")

_FIRST_PAUSE = 0.1
"""Seconds between the rounds of a flush; doubled each time."""

_LEAST_TIME = 0.05
"""Seconds below which no record is sent: its answer could hardly arrive."""

_LAST_ROUND = 1.25
"""Where the last round of a flush begins, in reserves before its end: a thread that wakes late is still in time."""

_CLOSING_TIME = 5.0
"""Seconds that `close` spends on what is still pending."""


@dataclass
class _Kept:
    record: BillingRecord
    fate: Fate = Fate.PENDING
    sending: bool = False
    transient: bool = True  # worth another round within one flush
    not_before: float = 0.0  # by time.monotonic()
    error: Optional[Exception] = None


class DirectDelivery:
    """Posts each record when it is delivered, and keeps in memory what did not arrive.

    It loses what is undelivered when the process ends. Thread-safe; the caller waits for the answers.

    Args:
        client: Posts the records.
        timeout: Seconds of wall clock that one record may take.
        keep: How many undelivered records are kept. Older ones are pushed out, counted and logged whole.
        raises: Whether `deliver` raises the error by which a record failed, for programs that want to know at once.
            The record is kept all the same.
    """

    def __init__(self, client: Keito, *, timeout: float = 10.0, keep: int = 10_000, raises: bool = False) -> None:
        self._client = client
        self._timeout = timeout
        self._keep = keep
        self._raises = raises
        self._kept: dict[str, _Kept] = {}
        self._delivered = 0
        self._dropped = 0
        self._said: set[tuple[Fate, Optional[int]]] = set()
        self._lock = threading.Lock()

    @property
    def destination(self) -> str:
        """Which account of Keito the records go to."""
        return destination_of(self._client)

    @property
    def raises(self) -> bool:
        """Whether `deliver` raises the error by which a record failed."""
        return self._raises

    @property
    def failure(self) -> Optional[Exception]:
        """The error by which the oldest undelivered record failed, if the delivery is one that raises."""
        with self._lock:
            return next((item.error for item in self._kept.values() if item.error is not None), None)

    def deliver(self, records: Sequence[BillingRecord]) -> None:
        """Post the records of one run.

        When nobody answers, the ones after it stay pending: the agent waits for one timeout, not for all of them.

        Raises:
            KeitoError: A record was not delivered, if the delivery is one that raises.
        """
        items = self._take_over(records)
        for item in items:
            if not self._send(item, self._timeout):
                break
        errors = [item.error for item in items if item.error is not None]
        if self._raises and errors:
            raise errors[0]

    def accept(self, records: Sequence[BillingRecord]) -> None:
        """Keep records as pending, without sending them."""
        self._take_over(records)

    def flush(self, timeout: float = 10.0) -> FlushReport:
        """Send again what is pending or held, within `timeout` seconds.

        What nobody answers is tried until shortly before the end.
        """
        deadline = time.monotonic() + timeout
        # A record that times out only because the flush ends would be unsure, so none is started near the end.
        reserve = max(_LEAST_TIME, min(1.0, timeout / 2))
        last_round = deadline - reserve * _LAST_ROUND
        items, pause = self._retryable(), _FIRST_PAUSE
        while items:
            self._send_all(items, deadline, reserve)
            items = [item for item in self._retryable() if item.transient]
            if not _slept(pause, last_round, items):
                break
            pause *= 2
        return self.report()

    def report(self) -> FlushReport:
        """Where the records stand, without sending anything."""
        with self._lock:
            fates = [item.fate for item in self._kept.values()]
            counts = {fate.value: fates.count(fate) for fate in Fate}
            return FlushReport(delivered=self._delivered, dropped=self._dropped, **counts)

    def close(self) -> None:
        """Flush for at most 5 seconds, and log whole what stays undelivered."""
        self.flush(_CLOSING_TIME)
        with self._lock:
            left = list(self._kept.values())
            self._kept.clear()
            self._dropped += len(left)
        for item in left:
            _say_dropped(item)

    def _take_over(self, records: Sequence[BillingRecord]) -> list[_Kept]:
        with self._lock:
            items = [_Kept(record) for record in records if record.key not in self._kept]
            self._kept.update((item.record.key, item) for item in items)
            too_many = list(self._kept.values())[: max(0, len(self._kept) - self._keep)]
            for item in too_many:
                del self._kept[item.record.key]
            self._dropped += len(too_many)
        for item in too_many:
            _say_dropped(item)
        return [item for item in items if item.record.key in self._kept]

    def _retryable(self) -> list[_Kept]:
        with self._lock:
            return [item for item in self._kept.values() if item.fate in (Fate.PENDING, Fate.HELD)]

    def _send_all(self, items: list[_Kept], deadline: float, reserve: float) -> None:
        for item in items:
            now = time.monotonic()
            if deadline - now >= reserve and item.not_before <= now:
                self._send(item, min(self._timeout, deadline - now))

    def _send(self, item: _Kept, timeout: float) -> bool:
        """Post one record; answers whether somebody answered."""
        with self._lock:
            if item.sending or item.fate not in (Fate.PENDING, Fate.HELD):
                return True  # another thread has it
            item.sending = True
        try:
            self._post(item.record, timeout)
        except Exception as error:  # the agent never breaks: whatever it was, it is counted and said
            self._failed(item, error)
            return not is_silent(error)
        except BaseException:
            # Interrupted while sending: it may have arrived.
            item.fate, item.sending = Fate.UNSURE, False
            raise
        with self._lock:
            self._delivered += 1
            self._kept.pop(item.record.key, None)
        return True

    def _post(self, record: BillingRecord, timeout: float) -> None:
        resource = self._client.expenses if record.kind is RecordKind.EXPENSE else self._client.time_entries
        # The client must not repeat it: what may be repeated is decided here.
        resource.create(
            **record.body,
            request_options={"idempotency_key": record.key, "max_retries": 0, "timeout": timeout},
        )

    def _failed(self, item: _Kept, error: Exception) -> None:
        fate = fate_after(error)
        status: Optional[int] = getattr(error, "status_code", None)
        wait = pause_after(error) or 0.0
        with self._lock:
            item.fate, item.sending, item.error = fate, False, error if self._raises else None
            item.transient = fate is Fate.PENDING or status == 429
            item.not_before = time.monotonic() + wait
            # What stands for all its like is said once; a record that somebody must look at is said by itself.
            known = fate in (Fate.PENDING, Fate.HELD) and (fate, status) in self._said
            self._said.add((fate, status))
        level = logging.DEBUG if known else logging.WARNING
        _log.log(level, "%s %s is %s: %s; %s", item.record.kind, item.record.key, fate, error, advice(fate, error))


def _slept(pause: float, last: float, items: Sequence[_Kept]) -> bool:
    """Sleep until the next round for `items`, at `last` at the latest; answers whether there is one."""
    if not items:
        return False
    now = time.monotonic()
    # Our own pause may be cut short, but not what the server asked for.
    begin = max(min(now + pause, last), min(item.not_before for item in items))
    if not now < begin <= last:
        return False
    time.sleep(begin - now)
    return True


def _say_dropped(item: _Kept) -> None:
    telemetry.dropped()
    body = json.dumps(item.record.body, default=str, separators=(",", ":"))
    _log.error("%s %s leaves memory undelivered (%s): %s", item.record.kind, item.record.key, item.fate, body)
