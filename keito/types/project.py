"""Projects: what a client is billed for."""

from datetime import date, datetime
from typing import Optional

from keito.types.common import IdName, Model
from keito.types.request import Request


class Project(Model):
    """Work for one client. `bill_by` and `budget_by` are plain words whose case varies."""

    id: str
    client: Optional[IdName] = None
    name: Optional[str] = None
    code: Optional[str] = None
    is_active: Optional[bool] = None
    is_billable: Optional[bool] = None
    is_fixed_fee: Optional[bool] = None
    bill_by: Optional[str] = None
    hourly_rate: Optional[float] = None
    fee: Optional[float] = None
    budget_by: Optional[str] = None
    budget: Optional[float] = None
    budget_is_monthly: Optional[bool] = None
    notify_when_over_budget: Optional[bool] = None
    over_budget_notification_percentage: Optional[float] = None
    show_budget_to_all: Optional[bool] = None
    cost_budget: Optional[float] = None
    cost_budget_include_expenses: Optional[bool] = None
    starts_on: Optional[date] = None
    ends_on: Optional[date] = None
    notes: Optional[str] = None
    created_at: Optional[datetime] = None
    updated_at: Optional[datetime] = None


class ProjectCreate(Request):
    """A project to open for a client."""

    client_id: str
    name: str
    code: Optional[str] = None
    notes: Optional[str] = None
    is_billable: Optional[bool] = None
    bill_by: Optional[str] = None
    budget_by: Optional[str] = None
    task_ids: Optional[list[str]] = None
