"""What the API accepts in a query string. Unknown parameters are ignored, unusable values refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from keito.sandbox.fields import Given, QueryDay, QueryFlag, QueryInstant, QueryPage, QueryPageSize, ReportDay

TimeSources = Annotated[
    str, Field(pattern="^(web|cli|api|agent|calendar|desktop)(,(web|cli|api|agent|calendar|desktop))*$")
]
ExpenseSources = Annotated[str, Field(pattern="^(web|cli|api|agent)(,(web|cli|api|agent))*$")]


class Paging(BaseModel):
    """Which page, and how long."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    page: QueryPage = 1
    per_page: QueryPageSize = 100


class Changed(Paging):
    """Narrows a list to what changed since."""

    updated_since: Given[QueryInstant] = None


class TimeEntryFilter(Changed):
    """Narrows the list of time entries."""

    user_id: Given[str] = None
    client_id: Given[str] = None
    project_id: Given[str] = None
    task_id: Given[str] = None
    is_billed: Given[QueryFlag] = None
    is_running: Given[QueryFlag] = None
    since: Given[QueryDay] = Field(default=None, alias="from")
    to: Given[QueryDay] = None
    source: Given[TimeSources] = None


class ExpenseFilter(Changed):
    """Narrows the list of expenses."""

    user_id: Given[str] = None
    client_id: Given[str] = None
    project_id: Given[str] = None
    is_billed: Given[QueryFlag] = None
    since: Given[QueryDay] = Field(default=None, alias="from")
    to: Given[QueryDay] = None
    source: Given[ExpenseSources] = None


class ProjectFilter(Changed):
    """Narrows the list of projects; inactive ones are left out unless asked for."""

    is_active: QueryFlag = True
    client_id: Given[str] = None


class ClientFilter(Changed):
    """Narrows the list of clients."""

    is_active: Given[QueryFlag] = None


class ContactFilter(Changed):
    """Narrows the list of contacts."""

    client_id: Given[str] = None


class TaskFilter(Changed):
    """Narrows the list of tasks; with a project, to its assigned ones."""

    is_active: Given[QueryFlag] = None
    project_id: Given[str] = None


class InvoiceFilter(Changed):
    """Narrows the list of invoices by issue date and more."""

    client_id: Given[str] = None
    state: Given[Literal["draft", "open", "paid", "closed"]] = None
    since: Given[QueryDay] = Field(default=None, alias="from")
    to: Given[QueryDay] = None


class ReportFilter(Paging):
    """The days that a report covers, both included."""

    since: ReportDay = Field(alias="from")
    to: ReportDay
