"""What has become of records in doubt: Keito is asked before any of them is sent again."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from keito.outbox.fate import is_down, pause_after
from keito.outbox.relay.backoff import Backoff
from keito.outbox.relay.listing import IncompleteListingError, Listing
from keito.outbox.stored import RecordState, Settlement, StoredRecord

if TYPE_CHECKING:
    from keito.client import Keito

_log = logging.getLogger("keito.billing")


@dataclass(frozen=True)
class Reconciliation:
    """What came of asking for records in doubt.

    Attributes:
        settlements: What becomes of each.
        found: How many are on Keito.
        absent: How many are not.
        duplicates: How many are there more than once.
        is_down: Whether the next request would hardly fare better.
        pause: Seconds for which the API wants to be left alone.
        error: Why nothing was learned.
    """

    settlements: Sequence[Settlement]
    found: int = 0
    absent: int = 0
    duplicates: int = 0
    is_down: bool = False
    pause: Optional[float] = None
    error: Optional[Exception] = None


def reconcile(
    client: Keito,
    records: Sequence[StoredRecord],
    *,
    deadline: float,
    timeout: float,
    now: float,
    backoff: Backoff,
    failures: int,
) -> Reconciliation:
    """Ask Keito for records in doubt, which are all of one project, day and resource.

    Args:
        client: Asks.
        records: Which ones.
        deadline: When to give up, by `time.monotonic()`.
        timeout: Seconds that one page of the list may take.
        now: The present moment, by the store's clock.
        backoff: When to come back to what is not to be learned, or was sent in vain.
        failures: How often nothing was to be learned in a row.
    """
    try:
        ids = Listing(client, records, deadline, timeout, now).look()
    except Exception as error:  # they stay in doubt
        return _in_doubt(records, error, backoff.after(failures + 1))
    settlements = [_settled(record, ids.get(record.key, ()), backoff) for record in records]
    found = sum(record.key in ids for record in records)
    return Reconciliation(settlements, found, len(records) - found, _said_duplicates(records, ids))


def _in_doubt(records: Sequence[StoredRecord], error: Exception, delay: float) -> Reconciliation:
    pause = pause_after(error)
    reason = f"nobody can say whether it arrived: {error}"
    settlements = [
        Settlement(
            record.key, RecordState.UNSURE, max(delay, pause or 0.0), None, record.status_code, reason, record.attempts
        )
        for record in records
    ]
    down = is_down(error) and not isinstance(error, IncompleteListingError)
    return Reconciliation(settlements, is_down=down, pause=pause, error=error)


def _settled(record: StoredRecord, ids: Sequence[str], backoff: Backoff) -> Settlement:
    if not ids:
        # The first time it was bad luck. What fails again and again must not keep others waiting.
        delay = backoff.after(record.attempts - 1) if record.attempts > 1 else 0.0
        return Settlement(
            record.key, RecordState.PENDING, delay, None, record.status_code, record.reason, record.attempts
        )
    reason = f"duplicate: {', '.join(ids)}" if len(ids) > 1 else None
    return Settlement(record.key, RecordState.DELIVERED, api_id=ids[0], reason=reason, attempt=record.attempts)


def _said_duplicates(records: Sequence[StoredRecord], ids: Mapping[str, Sequence[str]]) -> int:
    twice = [record for record in records if len(ids.get(record.key, ())) > 1]
    for record in twice:
        _log.error(
            "%s %s is on Keito %d times (%s); delete all but one there",
            record.kind,
            record.key,
            len(ids[record.key]),
            ", ".join(ids[record.key]),
        )
    return len(twice)
