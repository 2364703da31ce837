"""States that no endpoint of the API sets: locked, approved, billed, paid. The web app does, and so can tests."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any, Literal

from keito.sandbox.errors import not_found
from keito.sandbox.fields import Given, utc_text
from keito.sandbox.parsing import read_body
from keito.sandbox.requests import Body
from keito.sandbox.storage import update

Json = dict[str, Any]


class EntryState(Body):
    """What the web app did to a time entry."""

    locked: Given[bool] = None
    approved: Given[bool] = None
    billed: Given[bool] = None

    def columns(self, _stamp: str) -> Json:
        """The columns to change."""
        columns = {"is_locked": self.locked, "is_closed": self.approved, "is_billed": self.billed}
        return {name: value for name, value in columns.items() if value is not None}


class ExpenseState(Body):
    """What the web app did to an expense."""

    locked: Given[bool] = None
    approved: Given[bool] = None
    billed: Given[bool] = None
    approval_status: Given[Literal["unsubmitted", "submitted", "approved", "rejected"]] = None

    def columns(self, _stamp: str) -> Json:
        """The columns to change."""
        status = self.approval_status
        if status is None and self.approved is not None:
            status = "approved" if self.approved else "unsubmitted"
        columns = {"is_locked": self.locked, "is_billed": self.billed, "approval_status": status}
        return {name: value for name, value in columns.items() if value is not None}


class InvoiceState(Body):
    """Where an invoice stands."""

    state: Literal["draft", "open", "paid", "closed"]

    def columns(self, stamp: str) -> Json:
        """The columns to change."""
        moment = {"open": "sent_at", "paid": "paid_at", "closed": "closed_at"}.get(self.state)
        return {"state": self.state, **({moment: stamp} if moment else {})}


KINDS: dict[str, Any] = {"time_entries": EntryState, "expenses": ExpenseState, "invoices": InvoiceState}


def change(db: sqlite3.Connection, kind: str, id_: str, value: Any, now: datetime) -> Json:
    """Set the state of a record and give the columns that changed."""
    model = KINDS.get(kind)
    if model is None:
        raise not_found()
    row = db.execute(f"SELECT no FROM {kind} WHERE id = ?", (id_,)).fetchone()  # noqa: S608
    if row is None:
        raise not_found()
    columns = read_body(model, value).columns(utc_text(now))
    update(db, kind, row["no"], {**columns, "updated_at": utc_text(now)})
    return {"id": id_, **columns}
