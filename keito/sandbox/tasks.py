"""Tasks: list. They are the company's, and usable on the projects to which they are assigned."""

from __future__ import annotations

from typing import Optional

from keito.sandbox.context import Context, Json, Row
from keito.sandbox.filters import TaskFilter
from keito.sandbox.numbers import number
from keito.sandbox.paging import Query, page_of

SELECT = "SELECT t.* FROM tasks t"
PROJECT = """
SELECT p.no, p.hourly_rate, p.budget, c.currency FROM projects p JOIN clients c ON c.no = p.client
WHERE p.id = ? AND p.company = ?
"""


def show(row: Row) -> Json:
    """A task as the API answers it."""
    return {
        "id": row["id"],
        "name": row["name"],
        "billable_by_default": bool(row["billable_by_default"]),
        "default_hourly_rate": number(row["default_hourly_rate"]),
        "is_default": bool(row["is_default"]),
        "is_active": bool(row["is_active"]),
        "parent_task_id": row["parent_task_id"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def list_tasks(ctx: Context, query: TaskFilter) -> Json:
    """A page of tasks, newest first; a project's tasks also tell its rate, currency and budget."""
    ctx.refuse_sync_key()
    rows = Query("tasks", "t.no DESC")
    rows.where("t.company = ?", ctx.company)
    rows.where("t.is_active = ?", query.is_active)
    rows.where("t.updated_at >= ?", query.updated_since)
    project: Optional[Row] = None
    if query.project_id is not None:
        project = ctx.db.execute(PROJECT, (query.project_id, ctx.company)).fetchone()
        rows.where("t.no IN (SELECT task FROM project_tasks WHERE project = ?)", project["no"] if project else -1)
    return page_of(ctx.db, rows, SELECT, "tasks", query, "/tasks", lambda row: {**show(row), **_scoped(row, project)})


def _scoped(row: Row, project: Optional[Row]) -> Json:
    if project is None:
        return {}
    rate = row["default_hourly_rate"] if project["hourly_rate"] is None else project["hourly_rate"]
    return {
        "effective_billable_rate": number(rate),
        "currency": project["currency"],
        "budget": number(project["budget"]),
    }
