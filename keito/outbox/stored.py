"""Records as a store keeps them, and what has become of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Optional

from keito.outbox.record import RecordKind


class RecordState(str, Enum):
    """Where a record stands.

    `pending` waits to be sent. `sending` is with a relay, under a lease. `unsure` was sent and nobody knows whether it
    arrived: the API is asked before anything else happens. `delivered` is on Keito. `held` was refused for a reason
    that an operator can put right (401, 402, 403, 404, 429), `dead` for good. `withdrawn` was taken back by a
    correction: it was never sent, or was deleted on Keito.
    """

    PENDING = "pending"
    SENDING = "sending"
    UNSURE = "unsure"
    DELIVERED = "delivered"
    HELD = "held"
    DEAD = "dead"
    WITHDRAWN = "withdrawn"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class StoredRecord:
    """One record of a store. Moments are seconds since 1970, of the store's own clock.

    Attributes:
        key: As `BillingRecord.key`.
        kind: As `BillingRecord.kind`.
        body: The request's body as JSON text, whose bytes never change.
        destination: Which Keito account it goes to; see `keito.outbox.destination`.
        run_id: The run that it came from; `None` for a rollup.
        project_id: From the body: reconciliation lists by project and day.
        spent_date: From the body, `YYYY-MM-DD`.
        members: As `BillingRecord.members`.
        state: Where it stands.
        attempts: How often it was sent.
        created_at: When it was committed.
        changed_at: When its state changed last.
        not_before: When it may be sent, or asked for, next; while somebody does so, the end of the lease.
        sent_at: When it was last sent; `None` if never.
        api_id: Its id on Keito.
        status_code: The HTTP status of the last refusal.
        reason: What the last attempt came to, for people.
    """

    key: str
    kind: RecordKind
    body: str
    destination: str
    run_id: Optional[str]
    project_id: str
    spent_date: str
    members: tuple[str, ...]
    state: RecordState
    attempts: int
    created_at: float
    changed_at: float
    not_before: float
    sent_at: Optional[float] = None
    api_id: Optional[str] = None
    status_code: Optional[int] = None
    reason: Optional[str] = None


@dataclass(frozen=True)
class Settlement:
    """What has become of a claimed record.

    Attributes:
        key: Which one.
        state: Its new state, any but `sending`.
        delay: Seconds from now before which it is not sent, or asked for, again.
        api_id: Its id on Keito, once it is delivered.
        status_code: The HTTP status of a refusal.
        reason: For people; at most 2,000 characters are kept.
        attempt: The `attempts` that the record had when it was claimed. A record that its owner has lost and claimed
            again meanwhile is left alone then: this is not about that attempt.
    """

    key: str
    state: RecordState
    delay: float = 0.0
    api_id: Optional[str] = None
    status_code: Optional[int] = None
    reason: Optional[str] = None
    attempt: Optional[int] = None


@dataclass(frozen=True)
class OpenRun:
    """A run in the journal. Its texts are JSON that only the billing reads.

    Attributes:
        uid: The run's.
        destination: As of records.
        header: What the run is, and what it is billed by.
        events: What happened in it so far, in order.
        started_at: When it was entered.
        seen_at: When its process was last heard of.
    """

    uid: str
    destination: str
    header: str
    events: tuple[str, ...]
    started_at: float
    seen_at: float


@dataclass(frozen=True)
class WindowShare:
    """What a run adds to a window of a rollup. Nothing of it is posted by itself.

    Attributes:
        key: The run's uid and a number: a share that the store has is not added again.
        window: The window's name.
        ends_at: When the window is over, in seconds since 1970.
        body: What is added, as JSON that only the billing reads.
    """

    key: str
    window: str
    ends_at: float
    body: str
