"""A time entry as it is read: with its names, and by whom it may be changed."""

from __future__ import annotations

from keito.sandbox import metadata
from keito.sandbox.context import Context, Json, Row
from keito.sandbox.errors import forbidden
from keito.sandbox.numbers import number
from keito.sandbox.people import full_name

SELECT = """
SELECT t.*, u.id AS user_id, u.first_name, u.last_name, p.id AS project_id, p.name AS project_name,
  k.id AS task_id, k.name AS task_name
FROM time_entries t JOIN users u ON u.no = t.user JOIN projects p ON p.no = t.project JOIN tasks k ON k.no = t.task
"""


def show(row: Row) -> Json:
    """A time entry as the API answers it."""
    return {
        "id": row["id"],
        "user_id": row["user_id"],
        "project_id": row["project_id"],
        "task_id": row["task_id"],
        "user": {"id": row["user_id"], "name": full_name(row)},
        "project": {"id": row["project_id"], "name": row["project_name"]},
        "task": {"id": row["task_id"], "name": row["task_name"]},
        "spent_date": row["spent_date"],
        "hours": number(row["hours"]),
        "rounded_hours": number(row["hours"]),
        "duration_seconds": row["duration_seconds"],
        "notes": row["notes"],
        "is_running": bool(row["is_running"]),
        "timer_started_at": row["timer_started_at"],
        "started_time": row["started_time"],
        "ended_time": row["ended_time"],
        "is_locked": bool(row["is_locked"]),
        "is_closed": bool(row["is_closed"]),
        "is_billed": bool(row["is_billed"]),
        "billable": bool(row["billable"]),
        "budgeted": bool(row["budgeted"]),
        "billable_rate": number(row["billable_rate"]),
        "cost_rate": number(row["cost_rate"]),
        "source": row["source"],
        "metadata": metadata.load(row["metadata"]),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def read(ctx: Context, no: int) -> Json:
    """An entry by its number."""
    return show(ctx.db.execute(f"{SELECT} WHERE t.no = ?", (no,)).fetchone())


def find_own(ctx: Context, id_: str) -> Row:
    """An entry that the caller may change: an own one, or anyone's for managers."""
    ctx.refuse_sync_key()
    no = ctx.find("time_entries", id_)["no"]
    row: Row = ctx.db.execute(f"{SELECT} WHERE t.no = ?", (no,)).fetchone()
    if row["user"] != ctx.caller.no and not ctx.caller.is_manager:
        raise forbidden("You can only change your own time entries")
    return row


def require_open(row: Row) -> None:
    """Refuse an entry that is read-only."""
    for column, word in (("is_locked", "locked"), ("is_closed", "approved"), ("is_billed", "billed")):
        if row[column]:
            raise forbidden(f"Time entry is {word}")
