"""Invoices: list, create, read, change and delete drafts. Nothing here marks time or expenses as billed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Optional

from keito.sandbox.context import Context, Json, Row, new_id
from keito.sandbox.errors import bad_request, forbidden
from keito.sandbox.filters import InvoiceFilter
from keito.sandbox.invoice_rows import SELECT, read, show
from keito.sandbox.paging import Query, page_of
from keito.sandbox.requests import InvoiceCreate, InvoiceUpdate, LineItemCreate
from keito.sandbox.storage import insert, update

TERM_DAYS = {"upon_receipt": 0, "net_15": 15, "net_30": 30, "net_45": 45, "net_60": 60}


def list_invoices(ctx: Context, query: InvoiceFilter) -> Json:
    """A page of invoices, newest issue date first."""
    require_reader(ctx)
    rows = Query("invoices", "t.company, t.issue_date DESC, t.no DESC")
    rows.where("t.company = ?", ctx.company)
    rows.where("t.client = (SELECT no FROM clients WHERE id = ?)", query.client_id)
    rows.where("t.state = ?", query.state)
    rows.where("t.issue_date >= ?", query.since)
    rows.where("t.issue_date <= ?", query.to)
    rows.where("t.updated_at >= ?", query.updated_since)
    return page_of(ctx.db, rows, SELECT, "invoices", query, "/invoices", lambda row: show(ctx.db, row))


def require_reader(ctx: Context) -> None:
    """Members see no invoices, sync keys neither."""
    ctx.refuse_sync_key()
    ctx.require_manager()


def get(ctx: Context, id_: str) -> Json:
    """One invoice with its lines."""
    require_reader(ctx)
    return read(ctx.db, ctx.find("invoices", id_)["no"])


def create(ctx: Context, body: InvoiceCreate) -> Json:
    """A new draft with the next number of its year."""
    require_reader(ctx)
    client = ctx.find_active("clients", body.client_id, "client_id")
    issue_date = body.issue_date or ctx.today.isoformat()
    due_date = body.due_date or _due(issue_date, body.payment_term, client["payment_days"])
    _check_due(issue_date, due_date)
    for line in body.line_items:
        _check_project(ctx, line, client)
    fields = body.model_dump(exclude={"client_id", "line_items"})
    row = {
        **fields,
        "id": new_id(),
        "company": ctx.company,
        "client": client["no"],
        "creator": ctx.caller.no,
        "number": _next_number(ctx, issue_date),
        "state": "draft",
        "currency": body.currency or client["currency"],
        "issue_date": issue_date,
        "due_date": due_date,
        "created_at": ctx.stamp,
        "updated_at": ctx.stamp,
    }
    no = insert(ctx.db, "invoices", row)
    for line in body.line_items:
        insert(ctx.db, "invoice_lines", {**line.model_dump(), "id": new_id(), "invoice": no})
    return read(ctx.db, no)


def _due(issue_date: str, term: str, payment_days: Optional[int]) -> str:
    days = TERM_DAYS.get(term, payment_days)
    if days is None:
        raise bad_request("due_date is required when payment_term is custom")
    issued = date.fromisoformat(issue_date)
    return (issued + min(timedelta(days=days), date.max - issued)).isoformat()


def _check_due(issue_date: str, due_date: str) -> None:
    if due_date < issue_date:
        raise bad_request("due_date is before issue_date")


def _check_project(ctx: Context, line: LineItemCreate, client: Row) -> None:
    if line.project_id is None:
        return
    if ctx.find("projects", line.project_id)["client"] != client["no"]:
        raise bad_request("line_items.project_id is a project of another client")


def _next_number(ctx: Context, issue_date: str) -> str:
    year = issue_date[:4]
    statement = """
        INSERT INTO invoice_numbers (company, year, last) VALUES (?, ?, 1)
        ON CONFLICT (company, year) DO UPDATE SET last = last + 1"""
    ctx.db.execute(statement, (ctx.company, int(year)))
    statement = "SELECT last FROM invoice_numbers WHERE company = ? AND year = ?"
    (last,) = ctx.db.execute(statement, (ctx.company, int(year))).fetchone()
    return f"INV-{year}-{last:04}"


def patch(ctx: Context, id_: str, body: InvoiceUpdate) -> Json:
    """Change a draft."""
    require_reader(ctx)
    invoice = _find_draft(ctx, id_, "edited")
    changes = body.sent()
    dates = {**invoice, **changes}
    _check_due(dates["issue_date"], dates["due_date"])
    update(ctx.db, "invoices", invoice["no"], {**changes, "updated_at": ctx.stamp})
    return read(ctx.db, invoice["no"])


def delete(ctx: Context, id_: str) -> Json:
    """Remove a draft; administrators only."""
    ctx.refuse_sync_key()
    if not ctx.caller.is_administrator:
        raise forbidden("admin required")
    invoice = _find_draft(ctx, id_, "deleted")
    ctx.db.execute("DELETE FROM invoice_lines WHERE invoice = ?", (invoice["no"],))
    ctx.db.execute("DELETE FROM invoices WHERE no = ?", (invoice["no"],))
    return {"id": id_, "deleted": True}


def _find_draft(ctx: Context, id_: str, verb: str) -> Row:
    invoice = ctx.find("invoices", id_)
    if invoice["state"] != "draft":
        raise forbidden(f"Only draft invoices can be {verb}")
    return invoice
