"""Projects: list and create."""

from __future__ import annotations

from typing import Any

from keito.sandbox.context import Context, Json, Row, new_id
from keito.sandbox.errors import conflict
from keito.sandbox.filters import ProjectFilter
from keito.sandbox.numbers import number
from keito.sandbox.paging import Query, page_of
from keito.sandbox.people import full_name
from keito.sandbox.requests import ProjectCreate
from keito.sandbox.storage import insert

SELECT = """
SELECT t.*, c.id AS client_id, c.name AS client_name, u.id AS owner_id, u.first_name, u.last_name, u.email
FROM projects t JOIN clients c ON c.no = t.client LEFT JOIN users u ON u.no = t.owner
"""
TASKS = """
SELECT k.id, k.name, k.billable_by_default, k.is_active FROM project_tasks a JOIN tasks k ON k.no = a.task
WHERE a.project = ? ORDER BY k.no
"""
DEFAULTS: dict[str, Any] = {
    "is_active": True,
    "is_billable": True,
    "is_fixed_fee": False,
    "bill_by": "none",
    "budget_by": "none",
    "budget_is_monthly": False,
    "notify_when_over_budget": False,
    "show_budget_to_all": False,
    "cost_budget_include_expenses": False,
}
"""The columns that a project cannot be without."""


def show(ctx: Context, row: Row) -> Json:
    """A project as the API answers it; members are not told the client's name."""
    return {
        "id": row["id"],
        "client": {"id": row["client_id"], "name": row["client_name"] if _sees_clients(ctx) else ""},
        "name": row["name"],
        "code": row["code"],
        "is_active": bool(row["is_active"]),
        "is_billable": bool(row["is_billable"]),
        "is_fixed_fee": bool(row["is_fixed_fee"]),
        "bill_by": row["bill_by"],
        "hourly_rate": number(row["hourly_rate"]),
        "fee": number(row["fee"]),
        "budget_by": row["budget_by"],
        "budget": number(row["budget"]),
        "budget_is_monthly": bool(row["budget_is_monthly"]),
        "notify_when_over_budget": bool(row["notify_when_over_budget"]),
        "over_budget_notification_percentage": number(row["over_budget_notification_percentage"]),
        "show_budget_to_all": bool(row["show_budget_to_all"]),
        "cost_budget": number(row["cost_budget"]),
        "cost_budget_include_expenses": bool(row["cost_budget_include_expenses"]),
        "starts_on": row["starts_on"],
        "ends_on": row["ends_on"],
        "notes": row["notes"],
        "owner_id": row["owner_id"],
        "owner": _owner(row),
        "tasks": [_task(task) for task in ctx.db.execute(TASKS, (row["no"],))],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def _sees_clients(ctx: Context) -> bool:
    return ctx.caller.is_manager or ctx.caller.read_only


def _owner(row: Row) -> Any:
    return row["owner_id"] and {"id": row["owner_id"], "name": full_name(row), "email": row["email"]}


def _task(row: Row) -> Json:
    return {
        "id": row["id"],
        "name": row["name"],
        "billable_by_default": bool(row["billable_by_default"]),
        "is_active": bool(row["is_active"]),
    }


def list_projects(ctx: Context, query: ProjectFilter) -> Json:
    """A page of projects, newest first; a member's are the assigned ones."""
    rows = Query("projects", "t.no DESC")
    rows.where("t.company = ?", ctx.company)
    if not (ctx.caller.is_manager or ctx.caller.user["has_access_to_all_future_projects"]):
        rows.where("t.no IN (SELECT project FROM project_users WHERE user = ?)", ctx.caller.no)
    rows.where("t.is_active = ?", query.is_active)
    rows.where("t.client = (SELECT no FROM clients WHERE id = ?)", query.client_id)
    rows.where("t.updated_at >= ?", query.updated_since)
    return page_of(ctx.db, rows, SELECT, "projects", query, "/projects", lambda row: show(ctx, row))


def create(ctx: Context, body: ProjectCreate) -> Json:
    """A new project with its tasks; its creator owns it and may work on it."""
    ctx.refuse_sync_key()
    ctx.require_manager()
    client = ctx.find_active("clients", body.client_id, "client_id")
    _check_code(ctx, body.code)
    fields = body.model_dump(exclude={"client_id", "task_ids"})
    stamps = {"created_at": ctx.stamp, "updated_at": ctx.stamp}
    row = {**DEFAULTS, **fields, "id": new_id(), "company": ctx.company, "client": client["no"], **stamps}
    no = insert(ctx.db, "projects", {**row, "owner": ctx.caller.no})
    insert(ctx.db, "project_users", {"project": no, "user": ctx.caller.no})
    for task in _tasks(ctx, body):
        insert(ctx.db, "project_tasks", {"project": no, "task": task})
    return show(ctx, ctx.db.execute(f"{SELECT} WHERE t.no = ?", (no,)).fetchone())


def _check_code(ctx: Context, code: Any) -> None:
    statement = "SELECT 1 FROM projects WHERE company = ? AND code = ?"
    if ctx.db.execute(statement, (ctx.company, code)).fetchone():
        raise conflict("A project with this code already exists in your account")


def _tasks(ctx: Context, body: ProjectCreate) -> list[int]:
    if body.task_ids is None:
        statement = "SELECT no FROM tasks WHERE company = ? AND is_default = 1 AND is_active = 1"
        return [row["no"] for row in ctx.db.execute(statement, (ctx.company,))]
    ids = dict.fromkeys(body.task_ids)
    return [ctx.find_active("tasks", id_, "task_ids")["no"] for id_ in ids]
