"""Time entries: work on a task, measured in hours, or a running timer."""

from datetime import date, datetime
from typing import Any, Optional, Union

from keito.types.common import IdName, Model, Source
from keito.types.given import Clock, Day, Hours, Metadata
from keito.types.request import Request


class TimeEntry(Model):
    """Time that a person or an agent spent on a task. Hours are decimal; rates are per hour."""

    id: str
    user_id: Optional[str] = None
    project_id: Optional[str] = None
    task_id: Optional[str] = None
    user: Optional[IdName] = None
    project: Optional[IdName] = None
    task: Optional[IdName] = None
    spent_date: Optional[date] = None
    hours: Optional[float] = None
    notes: Optional[str] = None
    is_running: Optional[bool] = None
    timer_started_at: Optional[datetime] = None
    started_time: Optional[str] = None
    ended_time: Optional[str] = None
    is_locked: Optional[bool] = None
    is_closed: Optional[bool] = None
    is_billed: Optional[bool] = None
    billable: Optional[bool] = None
    budgeted: Optional[bool] = None
    billable_rate: Optional[float] = None
    cost_rate: Optional[float] = None
    source: Optional[Source] = None
    metadata: Optional[dict[str, Any]] = None
    created_at: Optional[datetime] = None
    updated_at: Optional[datetime] = None


class TimeEntryCreate(Request):
    """A time entry to record. Leave `hours` out and set `is_running` to start a timer."""

    project_id: str
    task_id: str
    spent_date: Day
    user_id: Optional[str] = None
    hours: Optional[Hours] = None
    notes: Optional[str] = None
    billable: Optional[bool] = None
    is_running: Optional[bool] = None
    replace_running: Optional[bool] = None
    started_time: Clock = None
    ended_time: Clock = None
    source: Union[Source, str, None] = None
    metadata: Metadata = None


class TimeEntryUpdate(Request):
    """Changes to a time entry. Metadata is merged into what is there; `metadata=None` clears it."""

    project_id: Optional[str] = None
    task_id: Optional[str] = None
    spent_date: Optional[Day] = None
    hours: Optional[Hours] = None
    notes: Optional[str] = None
    billable: Optional[bool] = None
    started_time: Clock = None
    ended_time: Clock = None
    metadata: Metadata = None


class TimeEntryStop(Request):
    """What may be changed while a timer is stopped."""

    notes: Optional[str] = None


class TimeEntryRestart(Request):
    """How an entry becomes the running timer again."""

    replace_running: Optional[bool] = None
