"""Messages of an invoice: sending one opens a draft. The sandbox records them and mails nothing."""

from __future__ import annotations

import json

from keito.sandbox.context import Context, Json, Row, new_id
from keito.sandbox.filters import Paging
from keito.sandbox.invoices import require_reader
from keito.sandbox.paging import Query, page_of
from keito.sandbox.people import full_name
from keito.sandbox.requests import InvoiceMessageCreate
from keito.sandbox.storage import insert, update

SELECT = "SELECT t.*, i.id AS invoice_id FROM invoice_messages t JOIN invoices i ON i.no = t.invoice"


def show(row: Row) -> Json:
    """A message as the API answers it."""
    return {
        "id": row["id"],
        "invoice_id": row["invoice_id"],
        "sent_by": row["sent_by"],
        "sent_by_email": row["sent_by_email"],
        "sent_from": row["sent_from"],
        "sent_from_email": row["sent_from_email"],
        "recipients": json.loads(row["recipients"]),
        "subject": row["subject"],
        "body": row["body"],
        "attach_pdf": bool(row["attach_pdf"]),
        "send_me_a_copy": bool(row["send_me_a_copy"]),
        "thank_you": row["event_type"] == "thank_you",
        "reminder": row["event_type"] == "reminder",
        "event_type": row["event_type"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def list_messages(ctx: Context, id_: str, query: Paging) -> Json:
    """A page of an invoice's messages, newest first."""
    require_reader(ctx)
    rows = Query("invoice_messages", "t.no DESC")
    rows.where("t.invoice = ?", ctx.find("invoices", id_)["no"])
    return page_of(ctx.db, rows, SELECT, "invoice_messages", query, f"/invoices/{id_}/messages", show)


def send(ctx: Context, id_: str, body: InvoiceMessageCreate) -> Json:
    """Record a message; a draft becomes open."""
    require_reader(ctx)
    invoice = ctx.find("invoices", id_)
    user = ctx.caller.user
    row = {
        **body.model_dump(exclude={"recipients", "include_attachments"}),
        "id": new_id(),
        "company": ctx.company,
        "invoice": invoice["no"],
        "recipients": json.dumps([recipient.model_dump() for recipient in body.recipients]),
        "sent_by": full_name(user),
        "sent_by_email": user["email"],
        "sent_from": ctx.caller.company["name"],
        "sent_from_email": user["email"],
        "created_at": ctx.stamp,
        "updated_at": ctx.stamp,
    }
    no = insert(ctx.db, "invoice_messages", row)
    if invoice["state"] == "draft":
        update(ctx.db, "invoices", invoice["no"], {"state": "open", "sent_at": ctx.stamp, "updated_at": ctx.stamp})
    return show(ctx.db.execute(f"{SELECT} WHERE t.no = ?", (no,)).fetchone())
