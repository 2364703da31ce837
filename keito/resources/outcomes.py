"""Outcomes: results that are billed by the piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keito.core.answer import reader
from keito.core.arguments import checked
from keito.core.call import Call
from keito.core.endpoint import Resource, endpoint, raw_view
from keito.core.errors import refused
from keito.core.mode import AsyncRaw, Mode, SyncRaw
from keito.resources.plan import post
from keito.types.agent_metadata import OutcomeTypes
from keito.types.common import Source
from keito.types.given import NOT_GIVEN, DateLike, NotGiven, Number, parse_metadata, parse_number
from keito.types.request_options import RequestOptions
from keito.types.time_entry import TimeEntry, TimeEntryCreate


class Outcomes(Resource[Mode]):
    """Log billable outcomes. Keito keeps an outcome as a time entry with 0 hours and `outcome_*` metadata."""

    with_raw_response: raw_view[Outcomes[SyncRaw], Outcomes[AsyncRaw]] = raw_view()

    @endpoint
    def log(
        self,
        *,
        project_id: str,
        task_id: str,
        spent_date: DateLike,
        outcome_type: OutcomeTypes | str,
        description: str | NotGiven | None = NOT_GIVEN,
        unit_price: Number | None = None,
        quantity: Number = 1,
        success: bool = True,
        evidence: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        user_id: str | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[TimeEntry]:
        """Log a result that the client pays for, such as a resolved ticket.

        A POST is not sent twice unless `request_options` has an `idempotency_key`.

        Args:
            project_id: The project to bill.
            task_id: The task that it belongs to.
            spent_date: The day in the workspace's time zone.
            outcome_type: One of `OutcomeTypes` or any other word.
            description: Becomes the entry's notes; the client may read it.
            unit_price: Price of one, 0 or more, in the currency of the project's client.
            quantity: How many.
            success: Whether the result was reached.
            evidence: A JSON object that proves it, such as a ticket's id.
            metadata: More keys for the entry; they never overwrite the `outcome_*` keys.
            user_id: Whose outcome it is; for managers.
            request_options: Overrides for this call.

        Raises:
            KeitoValidationError: An argument is not valid (nothing was sent), or the server says so.
        """
        return post(
            "/time_entries",
            reader(TimeEntry),
            request_options,
            TimeEntryCreate,
            project_id=project_id,
            task_id=task_id,
            spent_date=spent_date,
            user_id=user_id,
            hours=0,
            notes=description,
            billable=True,
            source=Source.AGENT,
            metadata=_outcome(outcome_type, unit_price, quantity, success, evidence, metadata),
        )


def _outcome(
    outcome_type: str,
    unit_price: Number | None,
    quantity: Number,
    success: bool,
    evidence: Mapping[str, Any] | None,
    metadata: Mapping[str, Any] | None,
) -> dict[str, Any]:
    if not isinstance(outcome_type, str) or not outcome_type:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refused("outcome_type", outcome_type, "must be a non-empty string")
    if not isinstance(success, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refused("success", success, "must be True or False")
    outcome: dict[str, Any] = {
        "outcome_type": outcome_type,
        "outcome_quantity": checked("quantity", quantity, _not_negative),
        "outcome_success": success,
        "outcome_unit_price": checked("unit_price", unit_price, _not_negative),
        "outcome_evidence": checked("evidence", evidence, parse_metadata),
    }
    own: dict[str, Any] = checked("metadata", metadata, parse_metadata) or {}
    # A price in the caller's own keys must not stand in for one that was not given.
    return {
        **{name: value for name, value in own.items() if name not in outcome},
        **{name: value for name, value in outcome.items() if value is not None},
    }


def _not_negative(value: object) -> Number:
    number = parse_number(value)
    if number < 0:
        raise ValueError("must be 0 or more")
    return number
