"""Tasks: the kinds of work that time is recorded on."""

from datetime import datetime
from typing import Optional

from keito.types.common import Model


class Task(Model):
    """A kind of work. Tasks belong to the whole account and are assigned to projects."""

    id: str
    name: Optional[str] = None
    billable_by_default: Optional[bool] = None
    default_hourly_rate: Optional[float] = None
    is_default: Optional[bool] = None
    is_active: Optional[bool] = None
    parent_task_id: Optional[str] = None
    created_at: Optional[datetime] = None
    updated_at: Optional[datetime] = None
