"""Time entries: list, create, change, delete."""

from __future__ import annotations

from typing import Any, Optional

from keito.sandbox import metadata, timers
from keito.sandbox.assignments import Work, check_user
from keito.sandbox.context import Context, Json, Row, new_id
from keito.sandbox.errors import bad_request, conflict
from keito.sandbox.filters import TimeEntryFilter
from keito.sandbox.numbers import rounded, seconds_of
from keito.sandbox.paging import Query, page_of
from keito.sandbox.requests import TimeEntryCreate, TimeEntryUpdate
from keito.sandbox.storage import insert, update
from keito.sandbox.time_entry_rows import SELECT, find_own, read, require_open, show


def list_entries(ctx: Context, query: TimeEntryFilter) -> Json:
    """A page of entries, newest day first; a member's are the member's own."""
    rows = Query("time_entries", "t.company, t.spent_date DESC, t.no DESC")
    rows.where("t.company = ?", ctx.company)
    if not ctx.caller.is_manager or ctx.caller.read_only:
        rows.where("t.user = ?", ctx.caller.no)
    rows.where("t.user = (SELECT no FROM users WHERE id = ?)", query.user_id)
    rows.where("t.client = (SELECT no FROM clients WHERE id = ?)", query.client_id)
    rows.where("t.project = (SELECT no FROM projects WHERE id = ?)", query.project_id)
    rows.where("t.task = (SELECT no FROM tasks WHERE id = ?)", query.task_id)
    rows.where("t.is_billed = ?", query.is_billed)
    if query.is_running is not None:
        # Written out, so that SQLite can use the index of running entries.
        rows.where("t.is_running = 1" if query.is_running else "t.is_running = 0")
    rows.where("t.spent_date >= ?", query.since)
    rows.where("t.spent_date <= ?", query.to)
    rows.where("t.updated_at >= ?", query.updated_since)
    rows.one_of("t.source", query.source)
    return page_of(ctx.db, rows, SELECT, "time_entries", query, "/time_entries", show)


def create(ctx: Context, body: TimeEntryCreate) -> Json:
    """A new entry, or a running timer."""
    ctx.refuse_sync_key()
    user = check_user(ctx, body.user_id)
    work = Work.find(ctx, user, body.project_id, body.task_id)
    row = _new_row(ctx, body, user, work)
    if body.is_running:
        row.update(timers.first_start(ctx, body))
        timers.make_room(ctx, user["no"], body.replace_running)
    else:
        row.update(duration(ctx, body.hours, body.started_time, body.ended_time))
    return read(ctx, insert(ctx.db, "time_entries", row))


def _new_row(ctx: Context, body: TimeEntryCreate, user: Row, work: Work) -> dict[str, Any]:
    return {
        "id": new_id(),
        "company": ctx.company,
        "user": user["no"],
        **work.columns(user, body.billable),
        "spent_date": body.spent_date,
        "notes": body.notes,
        "is_running": False,
        "timer_started_at": None,
        "started_time": body.started_time,
        "ended_time": body.ended_time,
        "is_locked": False,
        "is_closed": False,
        "is_billed": False,
        "source": body.source,
        "metadata": metadata.dump(body.metadata),
        "created_at": ctx.stamp,
        "updated_at": ctx.stamp,
    }


def duration(ctx: Context, hours: Optional[float], started: Optional[str], ended: Optional[str]) -> dict[str, Any]:
    """The columns that say how long: hours where they were sent, else the time between start and end."""
    if hours is None and started and ended:
        hours = _minutes_between(started, ended) / 60
    hours = hours or 0.0
    return {"hours": rounded(hours, ctx.settings.rounding), "duration_seconds": seconds_of(hours)}


def _minutes_between(started: str, ended: str) -> int:
    start, end = (int(time[:2]) * 60 + int(time[3:]) for time in (started, ended))
    return (end - start) % (24 * 60)  # an end before the start lies beyond midnight


def patch(ctx: Context, id_: str, body: TimeEntryUpdate) -> Json:
    """Change an entry that is not read-only."""
    row = find_own(ctx, id_)
    require_open(row)
    changes = body.sent()
    if row["is_running"] and {"hours", "ended_time"} & changes.keys():
        raise bad_request("hours and ended_time cannot be changed while the timer is running")
    changes.update(_moved(ctx, row, changes))
    changes.update(_changed_duration(ctx, row, body))
    if "metadata" in changes:
        changes["metadata"] = metadata.merge(row["metadata"], body.metadata)
    update(ctx.db, "time_entries", row["no"], {**changes, "updated_at": ctx.stamp})
    return read(ctx, row["no"])


def _moved(ctx: Context, row: Row, changes: dict[str, Any]) -> dict[str, Any]:
    project, task = changes.pop("project_id", None), changes.pop("task_id", None)
    billable = changes.pop("billable", None)
    if project is None and task is None and billable is None:
        return {}
    user = ctx.db.execute("SELECT * FROM users WHERE no = ?", (row["user"],)).fetchone()
    work = Work.find(ctx, user, project or row["project_id"], task or row["task_id"])
    return work.columns(user, bool(row["billable"]) if billable is None else billable)


def _changed_duration(ctx: Context, row: Row, body: TimeEntryUpdate) -> dict[str, Any]:
    sent = body.model_fields_set
    if "hours" in sent:
        return duration(ctx, body.hours, None, None)
    if row["is_running"] or not {"started_time", "ended_time"} & sent:
        return {}
    started = body.started_time if "started_time" in sent else row["started_time"]
    ended = body.ended_time if "ended_time" in sent else row["ended_time"]
    return duration(ctx, None, started, ended) if started and ended else {}


def delete(ctx: Context, id_: str) -> None:
    """Remove an entry; deleting a running one discards the timer."""
    row = find_own(ctx, id_)
    if row["is_closed"]:
        raise conflict("Time entry is approved and cannot be deleted")
    require_open(row)
    ctx.db.execute("DELETE FROM time_entries WHERE no = ?", (row["no"],))
