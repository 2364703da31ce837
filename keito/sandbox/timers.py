"""Timers: the server's clock decides, and a user has one at a time."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from keito.sandbox.choices import MAX_HOURS
from keito.sandbox.context import Context, Json, Row
from keito.sandbox.errors import ApiError, bad_request, conflict
from keito.sandbox.fields import utc_moment, utc_text
from keito.sandbox.numbers import rounded, timer_hours
from keito.sandbox.requests import TimeEntryCreate, TimeEntryRestart, TimeEntryStop
from keito.sandbox.storage import update
from keito.sandbox.time_entry_rows import find_own, read, require_open


def first_start(ctx: Context, body: TimeEntryCreate) -> Json:
    """The columns of a new entry whose timer runs.

    Raises:
        ApiError: 400 for what a timer that starts now cannot have; for a start in the future, and for one in the
            past where the workspace has not enabled those.
    """
    if body.hours:
        raise bad_request("hours cannot be set while starting a timer")
    if body.ended_time is not None:
        raise bad_request("ended_time cannot be set while starting a timer")
    started_time = body.started_time or f"{ctx.local_now:%H:%M}"
    _check_start(ctx, body.spent_date, started_time)
    row = _running(ctx.stamp, hours=0.0, seconds=0)
    if body.started_time and _is_past(ctx, body.spent_date, started_time):
        row["timer_started_at"] = _moment(ctx, body.spent_date, started_time)
    return {**row, "started_time": started_time}


def _check_start(ctx: Context, day: str, clock: str) -> None:
    today = ctx.today.isoformat()
    if day > today or (day == today and clock > f"{ctx.local_now:%H:%M}"):
        raise bad_request("A timer cannot start in the future")
    if _is_past(ctx, day, clock) and not ctx.caller.company["allow_past_timer_starts"]:
        raise bad_request("A timer cannot start in the past: the workspace has not enabled past timer starts")


def _is_past(ctx: Context, day: str, clock: str) -> bool:
    return (day, clock) < (ctx.today.isoformat(), f"{ctx.local_now:%H:%M}")


def _moment(ctx: Context, day: str, clock: str) -> str:
    local = datetime.combine(date.fromisoformat(day), time.fromisoformat(clock), ctx.local_now.tzinfo)
    return utc_text(local)


def _running(timer_started_at: str, hours: float, seconds: int) -> dict[str, Any]:
    return {
        "is_running": True,
        "timer_started_at": timer_started_at,
        "ended_time": None,
        "hours": hours,
        "duration_seconds": seconds,
    }


def make_room(ctx: Context, user: int, replace: bool) -> None:
    """Stop the user's running timer if the request says so.

    Raises:
        ApiError: 409 `running_timer_conflict` with the running entry, when it was not to be replaced; 403 when it is
            locked, approved or billed.
    """
    running = ctx.db.execute("SELECT * FROM time_entries WHERE user = ? AND is_running = 1", (user,)).fetchall()
    if running and not replace:
        entry = read(ctx, running[0]["no"])
        error = ApiError(409, "A timer is already running.", running_entry=entry, running_entry_count=len(running))
        error.body["error"] = "running_timer_conflict"
        raise error
    for row in running:
        require_open(row)  # what may not be stopped by itself is not stopped by another's start
        update(ctx.db, "time_entries", row["no"], {**_stopped(ctx, row), "updated_at": ctx.stamp})


def stop(ctx: Context, id_: str, body: TimeEntryStop) -> Json:
    """Stop a running timer; the server computes what it worked, and notes replace the old ones if they were sent."""
    row = find_own(ctx, id_)
    require_open(row)
    if not row["is_running"]:
        raise conflict("Time entry is not running")
    changes = {**body.sent(), **_stopped(ctx, row), "updated_at": ctx.stamp}
    update(ctx.db, "time_entries", row["no"], changes)
    return read(ctx, row["no"])


def _stopped(ctx: Context, row: Row) -> dict[str, Any]:
    elapsed = int((ctx.now - utc_moment(row["timer_started_at"])).total_seconds())
    seconds = min(row["duration_seconds"] + max(elapsed, 0), MAX_HOURS * 3600)
    return {
        "is_running": False,
        "timer_started_at": None,
        "ended_time": f"{ctx.local_now:%H:%M}",
        "hours": rounded(timer_hours(seconds), ctx.settings.rounding),
        "duration_seconds": seconds,
    }


def restart(ctx: Context, id_: str, body: TimeEntryRestart) -> Json:
    """Run an entry again, on its own day; its time goes on where it stopped."""
    row = find_own(ctx, id_)
    require_open(row)
    if row["is_running"]:
        raise conflict("Time entry is already running")
    make_room(ctx, row["user"], body.replace_running)
    changes = _running(ctx.stamp, hours=row["hours"], seconds=row["duration_seconds"])
    update(ctx.db, "time_entries", row["no"], {**changes, "updated_at": ctx.stamp})
    return read(ctx, row["no"])
