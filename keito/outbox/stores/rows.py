"""Between records and the rows of a database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from keito.outbox.record import BillingRecord, RecordKind
from keito.outbox.stored import RecordState, Settlement, StoredRecord
from keito.outbox.stores.database import Row

_LONGEST_REASON = 2_000


def row_of(record: BillingRecord, destination: str, run_id: Optional[str]) -> dict[str, Any]:
    """The row of a new record.

    Raises:
        ValueError: Its body cannot be JSON.
    """
    from keito.types.given import encode  # noqa: PLC0415 - brings pydantic along, which billing has loaded by now

    return {
        "key": record.key,
        "kind": record.kind.value,
        "body": encode(record.body).decode(),
        "destination": destination,
        "run_id": run_id,
        "project_id": _text(record.body, "project_id"),
        "spent_date": _text(record.body, "spent_date"),
        "members": json.dumps(record.members, separators=(",", ":")),
    }


def stored_record(row: Row) -> StoredRecord:
    """The record of a row."""
    key, kind, body, destination, run_id, project_id, spent_date, members, state, *rest = row
    return StoredRecord(
        key,
        RecordKind(kind),
        body,
        destination,
        run_id,
        project_id,
        spent_date,
        tuple(json.loads(members)),
        RecordState(state),
        *rest,
    )


def settled(settlement: Settlement, owner: str) -> dict[str, Any]:
    """The values that a settlement sets.

    Raises:
        ValueError: The state is `sending`, which only a claim gives.
    """
    if settlement.state is RecordState.SENDING:
        raise ValueError("nothing is settled as `sending`")
    reason = settlement.reason
    return {
        "key": settlement.key,
        "owner": owner,
        "state": settlement.state.value,
        "delay": settlement.delay,
        "api_id": settlement.api_id,
        "status_code": settlement.status_code,
        "attempt": settlement.attempt,
        # PostgreSQL's texts have no NUL.
        "reason": None if reason is None else reason[:_LONGEST_REASON].replace("\0", ""),
    }


def _text(body: Mapping[str, Any], name: str) -> str:
    return str(body.get(name, ""))
