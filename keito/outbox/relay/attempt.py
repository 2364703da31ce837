"""One attempt to send a record, and what it means for it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from keito.outbox.fate import Fate, fate_after, is_down, is_over, pause_after
from keito.outbox.record import RecordKind
from keito.outbox.relay.backoff import Backoff
from keito.outbox.stored import RecordState, Settlement, StoredRecord

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.core.call import Call
    from keito.core.reply import Reply

SOON = 1.0
"""Seconds after which Keito is asked for a record whose request is over."""

DELIVERED = "delivered"
NO_ANSWER = "no answer"

_STATES = {
    Fate.PENDING: RecordState.PENDING,
    Fate.HELD: RecordState.HELD,
    Fate.DEAD: RecordState.DEAD,
    Fate.UNSURE: RecordState.UNSURE,
}


@dataclass(frozen=True)
class Attempt:
    """What came of sending one record.

    Attributes:
        record: Which one.
        settlement: What becomes of it.
        outcome: `delivered`, the HTTP status, or `no answer`.
        is_down: Whether the next record would hardly fare better.
        pause: Seconds for which the API wants to be left alone.
        error: What it failed by.
    """

    record: StoredRecord
    settlement: Settlement
    outcome: str
    is_down: bool = False
    pause: Optional[float] = None
    error: Optional[Exception] = None


def path_of(kind: RecordKind) -> str:
    """Where records of a kind are posted to, and listed."""
    return "/expenses" if kind is RecordKind.EXPENSE else "/time_entries"


def attempt(client: Keito, record: StoredRecord, *, timeout: float, quiet: float, backoff: Backoff) -> Attempt:
    """Send a record, once.

    Args:
        client: Posts it.
        record: What to send.
        timeout: Seconds until the attempt is given up.
        quiet: Seconds after the start of an attempt of unknown fate before Keito is asked what has become of it.
        backoff: When to come back after 429, if the API does not say.
    """
    started = time.monotonic()
    try:
        api_id = client.time_entries.mode.perform(_call(record, timeout))
    except Exception as error:  # whatever it was: the record is settled by it
        return _failed(record, error, quiet - (time.monotonic() - started), backoff)
    settlement = Settlement(record.key, RecordState.DELIVERED, api_id=api_id, attempt=record.attempts)
    return Attempt(record, settlement, DELIVERED)


def _call(record: StoredRecord, timeout: float) -> Call[str]:
    from keito.core.call import Call  # noqa: PLC0415 - brings httpx along

    return Call(
        "POST",
        path_of(record.kind),
        _id_of,
        body=record.body.encode(),
        # The client must not repeat it: what may be repeated is decided here.
        options={"idempotency_key": record.key, "max_retries": 0, "timeout": timeout},
        repeatable=False,
    )


def _id_of(reply: Reply) -> str:
    """The id in an answer. Nothing else of it is needed, and a model of it would cost more than sending it."""
    answer = json.loads(reply.content)
    found = answer.get("id") if isinstance(answer, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(found, str) or not found:
        raise ValueError("the answer has no id")
    return found


def _failed(record: StoredRecord, error: Exception, quiet: float, backoff: Backoff) -> Attempt:
    status: Optional[int] = getattr(error, "status_code", None)
    wait = pause_after(error)
    fate = fate_after(error)
    if status == 409 and record.status_code != 409:
        # "In progress", or "used for another body": the listing decides. Refused again afterwards, it is dead.
        fate = Fate.UNSURE
    pause = (backoff.after(record.attempts) if wait is None else wait) if status == 429 else wait
    refusal = status if status is not None and status >= 300 else None  # a 2xx here is an answer that says nothing
    delay = _delay(fate, error, quiet, pause)
    settlement = Settlement(
        record.key, _STATES[fate], delay, status_code=refusal, reason=str(error), attempt=record.attempts
    )
    outcome = NO_ANSWER if status is None else str(status)
    return Attempt(record, settlement, outcome, is_down(error), pause, error)


def _delay(fate: Fate, error: Exception, quiet: float, pause: Optional[float]) -> float:
    if fate is Fate.UNSURE:
        return min(SOON, max(quiet, 0.0)) if is_over(error) else max(quiet, 0.0)
    return pause or 0.0
