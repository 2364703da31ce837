"""Expenses: list and create; the API neither changes nor deletes them."""

from __future__ import annotations

from typing import Optional

from keito.sandbox import metadata
from keito.sandbox.assignments import find_project
from keito.sandbox.context import Context, Json, Row, new_id
from keito.sandbox.errors import bad_request
from keito.sandbox.filters import ExpenseFilter
from keito.sandbox.numbers import cents, decimal, number
from keito.sandbox.paging import Query, page_of
from keito.sandbox.people import full_name
from keito.sandbox.requests import ExpenseCreate
from keito.sandbox.storage import insert

SELECT = """
SELECT t.*, u.id AS user_id, u.first_name, u.last_name, p.id AS project_id, p.name AS project_name,
  c.id AS category_id, c.name AS category_name
FROM expenses t JOIN users u ON u.no = t.user JOIN projects p ON p.no = t.project
  JOIN expense_categories c ON c.no = t.category
"""


def show(row: Row) -> Json:
    """An expense as the API answers it."""
    return {
        "id": row["id"],
        "user_id": row["user_id"],
        "project_id": row["project_id"],
        "expense_category_id": row["category_id"],
        "user": {"id": row["user_id"], "name": full_name(row)},
        "project": {"id": row["project_id"], "name": row["project_name"]},
        "expense_category": {"id": row["category_id"], "name": row["category_name"]},
        "spent_date": row["spent_date"],
        "total_cost": number(row["total_cost"]),
        "units": row["units"],
        "notes": row["notes"],
        "billable": bool(row["billable"]),
        "receipt_file_name": None,
        "receipt_content_type": None,
        "receipt_url": None,
        "is_locked": bool(row["is_locked"]),
        "is_billed": bool(row["is_billed"]),
        "approval_status": row["approval_status"],
        "source": row["source"],
        "metadata": metadata.load(row["metadata"]),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def list_expenses(ctx: Context, query: ExpenseFilter) -> Json:
    """A page of expenses, newest day first; a member's are the member's own."""
    ctx.refuse_sync_key()
    rows = Query("expenses", "t.company, t.spent_date DESC, t.no DESC")
    rows.where("t.company = ?", ctx.company)
    if not ctx.caller.is_manager:
        rows.where("t.user = ?", ctx.caller.no)
    rows.where("t.user = (SELECT no FROM users WHERE id = ?)", query.user_id)
    rows.where("t.client = (SELECT no FROM clients WHERE id = ?)", query.client_id)
    rows.where("t.project = (SELECT no FROM projects WHERE id = ?)", query.project_id)
    rows.where("t.is_billed = ?", query.is_billed)
    rows.where("t.spent_date >= ?", query.since)
    rows.where("t.spent_date <= ?", query.to)
    rows.where("t.updated_at >= ?", query.updated_since)
    rows.one_of("t.source", query.source)
    return page_of(ctx.db, rows, SELECT, "expenses", query, "/expenses", show)


def create(ctx: Context, body: ExpenseCreate) -> Json:
    """A new expense of the caller."""
    ctx.refuse_sync_key()
    project = find_project(ctx, ctx.caller.user, body.project_id)
    category = ctx.find_active("expense_categories", body.expense_category_id, "expense_category_id")
    if body.spent_date > ctx.today.isoformat() and not ctx.caller.company["allow_future_expense_dates"]:
        raise bad_request("spent_date cannot be in the future")
    row = {
        "id": new_id(),
        "company": ctx.company,
        "user": ctx.caller.no,
        "client": project["client"],
        "project": project["no"],
        "category": category["no"],
        "spent_date": body.spent_date,
        "total_cost": _total_cost(body, category["unit_price"]),
        "units": body.units,
        "notes": body.notes,
        "billable": bool(project["is_billable"]) if body.billable is None else body.billable,
        "is_locked": False,
        "is_billed": False,
        "approval_status": "unsubmitted",
        "source": body.source,
        "metadata": metadata.dump(body.metadata),
        "created_at": ctx.stamp,
        "updated_at": ctx.stamp,
    }
    return read(ctx, insert(ctx.db, "expenses", row))


def _total_cost(body: ExpenseCreate, unit_price: Optional[float]) -> float:
    if body.total_cost is not None:
        return body.total_cost
    if body.units is None:
        raise bad_request("total_cost or units is required")
    return float(cents(decimal(unit_price or 0) * body.units))


def read(ctx: Context, no: int) -> Json:
    """An expense by its number."""
    return show(ctx.db.execute(f"{SELECT} WHERE t.no = ?", (no,)).fetchone())
