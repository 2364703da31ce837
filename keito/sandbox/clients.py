"""Clients: list, create, read, change. Members see none of them."""

from __future__ import annotations

from typing import Any

from keito.sandbox.context import Context, Json, Row, new_id
from keito.sandbox.filters import ClientFilter
from keito.sandbox.numbers import number
from keito.sandbox.paging import Query, page_of
from keito.sandbox.requests import ClientCreate, ClientUpdate
from keito.sandbox.storage import insert, update

SELECT = "SELECT t.* FROM clients t"
DEFAULTS: dict[str, Any] = {"is_active": True, "payment_terms": "net_30"}


def show(row: Row) -> Json:
    """A client as the API answers it."""
    return {
        "id": row["id"],
        "name": row["name"],
        "address": row["address"],
        "currency": row["currency"],
        "is_active": bool(row["is_active"]),
        "payment_terms": row["payment_terms"],
        "payment_days": row["payment_days"],
        "tax": number(row["tax"]),
        "tax2": number(row["tax2"]),
        "discount": number(row["discount"]),
        "statement_key": row["statement_key"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def list_clients(ctx: Context, query: ClientFilter) -> Json:
    """A page of clients, newest first."""
    _require_reader(ctx)
    rows = Query("clients", "t.no DESC")
    rows.where("t.company = ?", ctx.company)
    rows.where("t.is_active = ?", query.is_active)
    rows.where("t.updated_at >= ?", query.updated_since)
    return page_of(ctx.db, rows, SELECT, "clients", query, "/clients", show)


def get(ctx: Context, id_: str) -> Json:
    """One client."""
    _require_reader(ctx)
    return show(ctx.find("clients", id_))


def _require_reader(ctx: Context) -> None:
    if not ctx.caller.read_only:
        ctx.require_manager()


def create(ctx: Context, body: ClientCreate) -> Json:
    """A new client; its currency is the company's unless it is sent."""
    ctx.refuse_sync_key()
    ctx.require_manager()
    defaults = {**DEFAULTS, "currency": ctx.caller.company["currency"]}
    stamps = {"created_at": ctx.stamp, "updated_at": ctx.stamp}
    id_ = new_id()
    row = {**defaults, **body.sent(), "id": id_, "company": ctx.company, "statement_key": new_id(), **stamps}
    insert(ctx.db, "clients", row)
    return show(ctx.find("clients", id_))


def patch(ctx: Context, id_: str, body: ClientUpdate) -> Json:
    """Change a client."""
    ctx.refuse_sync_key()
    ctx.require_manager()
    client = ctx.find("clients", id_)
    update(ctx.db, "clients", client["no"], {**body.sent(), "updated_at": ctx.stamp})
    return show(ctx.find("clients", id_))
