"""Records of a store, as commands show them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional

from keito.cli.times import moment
from keito.outbox.record import RecordKind
from keito.outbox.stored import RecordState, StoredRecord

if TYPE_CHECKING:
    from keito.outbox.store import Store

UNDELIVERED = (RecordState.PENDING, RecordState.SENDING, RecordState.UNSURE, RecordState.HELD, RecordState.DEAD)

GAPS = '"gaps"'
"""What the body of a record has that names calls without a price: most records need not be parsed."""

_BATCH = 500


def walk(
    store: Store, states: Optional[Sequence[RecordState]] = None, *, run_id: Optional[str] = None
) -> Iterator[StoredRecord]:
    """All records in the order of their arrival, without having all of them in memory."""
    after: Optional[str] = None
    while True:
        batch = store.find(states=states, run_id=run_id, after=after, limit=_BATCH)
        yield from batch
        if len(batch) < _BATCH:
            return
        after = batch[-1].key


def undelivered(counts: Mapping[RecordState, int]) -> int:
    """How many of them are not on Keito."""
    return sum(counts.get(state, 0) for state in UNDELIVERED)


def as_json(record: StoredRecord, *, body: bool = True) -> dict[str, Any]:
    """A record for programs. Moments are in UTC, by the store's clock."""
    times = {name: getattr(record, name) for name in ("created_at", "changed_at", "not_before", "sent_at")}
    shown: dict[str, Any] = {
        "key": record.key,
        "kind": record.kind.value,
        "state": record.state.value,
        "destination": record.destination,
        "run_id": record.run_id,
        "project_id": record.project_id,
        "spent_date": record.spent_date,
        "api_id": record.api_id,
        "status_code": record.status_code,
        "reason": record.reason,
        "attempts": record.attempts,
        **{name: None if time is None else moment(time) for name, time in times.items()},
        "members": [*record.members],
    }
    return {**shown, "body": body_of(record)} if body else shown


def body_of(record: StoredRecord) -> dict[str, Any]:
    """What is posted."""
    body: dict[str, Any] = json.loads(record.body)
    return body


def facts_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What keito wrote into the metadata for itself."""
    metadata: Any = body.get("metadata")
    facts: Any = metadata.get("keito") if isinstance(metadata, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return facts if isinstance(facts, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def quantity(record: StoredRecord) -> str:
    """How much it is, for people."""
    body: dict[str, Any] = json.loads(record.body, parse_float=Decimal)
    if record.kind is RecordKind.EXPENSE:
        return f"{Decimal(body['total_cost']):f}"
    if record.kind is RecordKind.OUTCOME:
        metadata: Mapping[str, Any] = body.get("metadata") or {}
        return f"{metadata.get('outcome_quantity', 1)} x {metadata.get('outcome_type')}"
    return f"{Decimal(body['hours']):f} h"
