"""Contacts of clients: list and create."""

from __future__ import annotations

from keito.sandbox.context import Context, Json, Row, new_id
from keito.sandbox.filters import ContactFilter
from keito.sandbox.paging import Query, page_of
from keito.sandbox.requests import ContactCreate
from keito.sandbox.storage import insert

SELECT = "SELECT t.*, c.id AS client_id, c.name AS client_name FROM contacts t JOIN clients c ON c.no = t.client"
TEXTS = ("first_name", "last_name", "title", "email", "phone_office", "phone_mobile", "fax")


def show(row: Row) -> Json:
    """A contact as the API answers it."""
    return {
        "id": row["id"],
        "client": {"id": row["client_id"], "name": row["client_name"]},
        **{name: row[name] for name in TEXTS},
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def list_contacts(ctx: Context, query: ContactFilter) -> Json:
    """A page of contacts, newest first."""
    ctx.refuse_sync_key()
    ctx.require_manager()
    rows = Query("contacts", "t.no DESC")
    rows.where("t.company = ?", ctx.company)
    rows.where("t.client = (SELECT no FROM clients WHERE id = ?)", query.client_id)
    rows.where("t.updated_at >= ?", query.updated_since)
    return page_of(ctx.db, rows, SELECT, "contacts", query, "/contacts", show)


def create(ctx: Context, body: ContactCreate) -> Json:
    """A new contact."""
    ctx.refuse_sync_key()
    ctx.require_manager()
    client = ctx.find_active("clients", body.client_id, "client_id")
    fields = body.model_dump(exclude={"client_id"})
    stamps = {"created_at": ctx.stamp, "updated_at": ctx.stamp}
    no = insert(
        ctx.db, "contacts", {**fields, "id": new_id(), "company": ctx.company, "client": client["no"], **stamps}
    )
    return show(ctx.db.execute(f"{SELECT} WHERE t.no = ?", (no,)).fetchone())
