"""Taking back what was billed for a run."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional

from keito.billing.metadata import SDK, short
from keito.metering.text import readable
from keito.outbox import BillingRecord, OutboxError, RecordKind, RecordState, StoredRecord

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.metering import AgentRun
    from keito.outbox.durable import OutboxDelivery
    from keito.outbox.store import Store

_log = logging.getLogger("keito.billing")

_UNSENT = (RecordState.PENDING, RecordState.HELD, RecordState.DEAD)
_UNDER_WAY = (RecordState.SENDING, RecordState.UNSURE)


_ANEW = "-r"
"""Ends the key of what is posted in the place of another record."""

_MOST_EMPTY = 64
"""Supplements in a row without a record, as those of a cache's answers, after which no further one is looked for."""

_REPLACED = "replaced: "
"""Begins the reason of what is posted anew, as opposed to what was taken back for good."""


class CorrectionError(ValueError):
    """A run cannot be corrected; nothing of it was changed. The message says why."""


@dataclass(frozen=True)
class Correction:
    """What has become of the records of a run that was taken back.

    Attributes:
        withdrawn: Keys of records that were not sent yet, and will not be.
        deleted: Keys of those that were deleted on Keito.
        left: Keys of those that stand on Keito still, because its API cannot remove them: expenses, and time entries
            that are locked. Somebody has to remove them there; a record of 0 beside each of them says so.
        posted: Keys of the records that were made: the notes beside those that are left, and replacements.
    """

    withdrawn: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    posted: tuple[str, ...] = ()


class Corrector:
    """Takes back what a run was billed for, through one delivery. Whatever is said twice happens once.

    Args:
        delivery: Has the records in its store.
        client: Deletes what is on Keito.
        timeout: Seconds to wait for records that are on their way.
    """

    def __init__(self, delivery: OutboxDelivery, client: Keito, timeout: float) -> None:
        self._delivery = delivery
        self._client = client
        self._timeout = timeout

    def void(self, run_id: str, reason: str) -> Correction:
        """Take back all records of a run, and of its supplements.

        Raises:
            CorrectionError: The run is not known here or is in a rollup, a record of it is billed or approved, or is
                on its way and nobody knows yet whether it has arrived.
        """
        found, withdrawn = self._withdrawn(run_id, reason)
        on_keito = [record for record in found if record.state is RecordState.DELIVERED]
        deleted = [record for record in on_keito if self._delete(record, reason)]
        left = [record for record in on_keito if record not in deleted]
        notes = [_note(record, reason) for record in left]
        self._commit(notes, run_id)
        for record in left:
            _log.warning("%s %s stands on Keito as %s; remove it there: void", record.kind, record.key, record.api_id)
        return Correction(_keys(withdrawn), _keys(deleted), _keys(left), tuple(note.key for note in notes))

    def replace(self, run_id: str, reason: str, changes: Mapping[str, Any]) -> Correction:
        """Take back the records of a run, and post what could be removed anew with other fields.

        Raises:
            CorrectionError: As for `void`.
        """
        done = self.void(run_id, f"{_REPLACED}{reason}")
        # Also what was taken back by a replacement that was interrupted then. What is there already, the store knows.
        anew = [_anew(record, changes) for record in self._records(run_id) if _is_replaced(record)]
        return Correction(done.withdrawn, done.deleted, done.left, (*done.posted, *self._commit(anew, run_id)))

    def _commit(self, records: Sequence[BillingRecord], run_id: str) -> Sequence[str]:
        keys = self._delivery.commit(records, run_id=run_id)
        if keys is None:
            raise OutboxError("the outbox has not taken the records of the correction; say it again")
        return keys

    def _withdrawn(self, run_id: str, reason: str) -> tuple[list[StoredRecord], list[StoredRecord]]:
        """The records of a run, and those of them that were not sent and will not be."""
        withdrawn: list[StoredRecord] = []
        while True:
            found = self._settled(run_id)
            self._check(record for record in found if record.state is RecordState.DELIVERED)
            unsent = [record for record in found if record.state in _UNSENT]
            done = [record for record in unsent if self._withdraw(record, reason)]
            withdrawn += done
            if len(done) == len(unsent):  # else a relay has taken some meanwhile
                return found, withdrawn

    def _settled(self, run_id: str) -> list[StoredRecord]:
        """The records of a run that are to be taken back, none of them on its way."""
        found = self._records(run_id)
        if any(record.state in _UNDER_WAY for record in found):
            self._delivery.flush(self._timeout)
            found = self._records(run_id)
        if not found:
            raise CorrectionError(f"run {run_id} has no records in the outbox; runs in a rollup have none of their own")
        if any(_is_rolled_up(record) for record in found):
            raise CorrectionError(f"the time and cost of run {run_id} are in a rollup, where they cannot be taken back")
        under_way = [record.key for record in found if record.state in _UNDER_WAY]
        if under_way:
            raise CorrectionError(f"{', '.join(under_way)}: nobody knows yet whether Keito has it; try again later")
        return found

    def _records(self, run_id: str) -> list[StoredRecord]:
        found, number, empty = self._of(run_id), 0, 0
        while empty < _MOST_EMPTY:
            late = self._of(f"{run_id}-late-{number}")
            found, number, empty = [*found, *late], number + 1, 0 if late else empty + 1
        notes = {_note_key(record) for record in found}
        return [record for record in found if record.key not in notes]

    def _of(self, run_id: str) -> list[StoredRecord]:
        destination = self._delivery.destination
        return self._delivery.store.find(destination=destination, run_id=run_id, limit=1000)

    def _check(self, delivered: Iterable[StoredRecord]) -> None:
        """Refuse what an invoice or an approval holds, before anything is changed."""
        held = [f"{record.key} is {why}" for record in delivered for why in self._holds(record)]
        if held:
            raise CorrectionError(f"{'; '.join(held)}: that has to be undone on Keito first; nothing was changed")

    def _holds(self, record: StoredRecord) -> Iterator[str]:
        entry = self._on_keito(record)
        if entry is None:
            return
        if entry.is_billed:
            yield "billed"
        approval = str(getattr(getattr(entry, "approval_status", None), "value", ""))
        if getattr(entry, "is_closed", False) or approval == "approved":
            yield "approved"

    def _on_keito(self, record: StoredRecord) -> Optional[Any]:
        resource: Any = self._client.expenses if record.kind is RecordKind.EXPENSE else self._client.time_entries
        day = record.spent_date
        listed = resource.list(project_id=record.project_id, from_date=day, to_date=day, source="agent", per_page=2000)
        return next((entry for entry in listed if entry.id == record.api_id), None)

    def _withdraw(self, record: StoredRecord, reason: str) -> bool:
        return bool(self._delivery.store.withdraw(record.key, record.state, reason))

    def _delete(self, record: StoredRecord, reason: str) -> bool:
        """Delete it on Keito, where that can be; who was interrupted deletes again what is gone already."""
        from keito.core.errors import KeitoForbiddenError, KeitoNotFoundError  # noqa: PLC0415 - brings httpx along

        if record.kind is RecordKind.EXPENSE or record.api_id is None:
            return False
        try:
            self._client.time_entries.delete(record.api_id)
        except KeitoNotFoundError:
            pass
        except KeitoForbiddenError:
            return False  # locked, by its age perhaps
        return self._withdraw(record, reason)


def _note(record: StoredRecord, reason: str) -> BillingRecord:
    """A record of 0 that says that another one is void. The API has no negative amounts."""
    body: dict[str, Any] = json.loads(record.body, parse_float=Decimal)
    key = _note_key(record)
    amount = {"total_cost": Decimal(0)} if record.kind is RecordKind.EXPENSE else {"hours": Decimal(0)}
    voids = {"key": record.key, "id": record.api_id, "amount": str(body.get("total_cost", body.get("hours")))}
    facts = {"key": key, "sdk": SDK, "voids": voids, "reason": short(reason)}
    metadata = {"session_id": body.get("metadata", {}).get("session_id"), "keito": facts}
    kept: dict[str, Any] = {name: body[name] for name in ("project_id", "spent_date", "source") if name in body}
    place: dict[str, Any] = {name: body[name] for name in ("task_id", "user_id", "expense_category_id") if name in body}
    notes = readable(f"Void: {body.get('notes') or record.key} ({record.api_id}): {reason}")
    return BillingRecord(
        key, _plain_kind(record), {**kept, **place, **amount, "billable": False, "notes": notes, "metadata": metadata}
    )


def _is_rolled_up(record: StoredRecord) -> bool:
    """Whether it is an outcome of a run whose other records are in a window."""
    body: dict[str, Any] = json.loads(record.body)
    return "rollup" in body["metadata"]["keito"]


def _is_replaced(record: StoredRecord) -> bool:
    return record.state is RecordState.WITHDRAWN and (record.reason or "").startswith(_REPLACED)


def _note_key(record: StoredRecord) -> str:
    return f"{record.key}-void"


def _plain_kind(record: StoredRecord) -> RecordKind:
    return RecordKind.EXPENSE if record.kind is RecordKind.EXPENSE else RecordKind.TIME_ENTRY


def _anew(record: StoredRecord, changes: Mapping[str, Any]) -> BillingRecord:
    body: dict[str, Any] = json.loads(record.body, parse_float=Decimal)
    optional = {"notes", "billable", *(() if record.kind is RecordKind.EXPENSE else ("user_id",))}
    fitting = {name: value for name, value in changes.items() if name in body or name in optional}
    key = f"{record.key}{_ANEW}"
    metadata = {**body["metadata"], "keito": {**body["metadata"]["keito"], "key": key, "replaces": record.key}}
    return BillingRecord(key, record.kind, {**body, **fitting, "metadata": metadata})


def earlier_keys(key: Optional[str]) -> Iterator[str]:
    """The key of a record that was replaced, and of those that it had itself replaced."""
    while key is not None:
        yield key
        key = key[: -len(_ANEW)] if key.endswith(_ANEW) else None


def comes_after_correction(run: AgentRun, store: Store, destination: str) -> bool:
    """Whether a run is a supplement to one that was voided or replaced meanwhile, so that it is not to be billed."""
    earlier = run.supplement_to
    if earlier is None:
        return False
    found = store.find(destination=destination, run_id=earlier.uid, limit=1000)
    notes = {_note_key(record) for record in found}
    is_late = any(record.state is RecordState.WITHDRAWN or record.key in notes for record in found)
    if is_late:
        _log.warning("Run %s was taken back; what has come for it since then is not billed", earlier.uid)
    return is_late


def _keys(records: Sequence[StoredRecord]) -> tuple[str, ...]:
    return tuple(record.key for record in records)
