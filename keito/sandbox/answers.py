"""What the API answers, for the OpenAPI document. Each field is always present; the null ones say so."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Optional

from pydantic import BaseModel, ConfigDict, WithJsonSchema

from keito.sandbox.fields import Day
from keito.sandbox.requests import ExpenseSource, PaymentTerm, TimeSource

Stamp = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class Answer(BaseModel):
    """A JSON object of the API."""

    model_config = ConfigDict(extra="forbid")


class Error(BaseModel):
    """A refusal: words and a text; further members are allowed."""

    model_config = ConfigDict(extra="allow")

    error: str
    error_description: str


class IdName(Answer):
    """A reference to another record."""

    id: str
    name: Optional[str]


class Links(Answer):
    """Relative URLs of other pages."""

    first: str
    next: Optional[str]
    previous: Optional[str]
    last: str


class Page(Answer):
    """The envelope of a list."""

    per_page: int
    total_pages: int
    total_entries: int
    page: int
    links: Links


class TimeEntry(Answer):
    """A time entry."""

    id: str
    user_id: str
    project_id: str
    task_id: str
    user: IdName
    project: IdName
    task: IdName
    spent_date: Day
    hours: float
    rounded_hours: float
    duration_seconds: int
    notes: Optional[str]
    is_running: bool
    timer_started_at: Optional[Stamp]
    started_time: Optional[str]
    ended_time: Optional[str]
    is_locked: bool
    is_closed: bool
    is_billed: bool
    billable: bool
    budgeted: bool
    billable_rate: Optional[float]
    cost_rate: Optional[float]
    source: TimeSource
    metadata: Optional[dict[str, Any]]
    created_at: Stamp
    updated_at: Stamp


class TimeEntryPage(Page):
    """A page of time entries."""

    time_entries: list[TimeEntry]


class Expense(Answer):
    """An expense."""

    id: str
    user_id: str
    project_id: str
    expense_category_id: str
    user: IdName
    project: IdName
    expense_category: IdName
    spent_date: Day
    total_cost: float
    units: Optional[int]
    notes: Optional[str]
    billable: bool
    receipt_file_name: Optional[str]
    receipt_content_type: Optional[str]
    receipt_url: Optional[str]
    is_locked: bool
    is_billed: bool
    approval_status: Literal["unsubmitted", "submitted", "approved", "rejected"]
    source: ExpenseSource
    metadata: Optional[dict[str, Any]]
    created_at: Stamp
    updated_at: Stamp


class ExpensePage(Page):
    """A page of expenses."""

    expenses: list[Expense]


class Owner(Answer):
    """The user who owns a project."""

    id: str
    name: Optional[str]
    email: str


class ProjectTask(Answer):
    """A task of a project."""

    id: str
    name: str
    billable_by_default: bool
    is_active: bool


class Project(Answer):
    """A project."""

    id: str
    client: IdName
    name: str
    code: Optional[str]
    is_active: bool
    is_billable: bool
    is_fixed_fee: bool
    bill_by: str
    hourly_rate: Optional[float]
    fee: Optional[float]
    budget_by: str
    budget: Optional[float]
    budget_is_monthly: bool
    notify_when_over_budget: bool
    over_budget_notification_percentage: Optional[float]
    show_budget_to_all: bool
    cost_budget: Optional[float]
    cost_budget_include_expenses: bool
    starts_on: Optional[Day]
    ends_on: Optional[Day]
    notes: Optional[str]
    owner_id: Optional[str]
    owner: Optional[Owner]
    tasks: list[ProjectTask]
    created_at: Stamp
    updated_at: Stamp


class ProjectPage(Page):
    """A page of projects."""

    projects: list[Project]


class Client(Answer):
    """A client."""

    id: str
    name: str
    address: Optional[str]
    currency: str
    is_active: bool
    payment_terms: PaymentTerm
    payment_days: Optional[int]
    tax: Optional[float]
    tax2: Optional[float]
    discount: Optional[float]
    statement_key: str
    created_at: Stamp
    updated_at: Stamp


class ClientPage(Page):
    """A page of clients."""

    clients: list[Client]


class Contact(Answer):
    """A contact of a client."""

    id: str
    client: IdName
    first_name: str
    last_name: Optional[str]
    title: Optional[str]
    email: Optional[str]
    phone_office: Optional[str]
    phone_mobile: Optional[str]
    fax: Optional[str]
    created_at: Stamp
    updated_at: Stamp


class ContactPage(Page):
    """A page of contacts."""

    contacts: list[Contact]


class Task(Answer):
    """A task; the last three fields are there when a project was asked for."""

    id: str
    name: str
    billable_by_default: bool
    default_hourly_rate: Optional[float]
    is_default: bool
    is_active: bool
    parent_task_id: Optional[str]
    created_at: Stamp
    updated_at: Stamp
    effective_billable_rate: Optional[float] = None
    currency: str = ""
    budget: Optional[float] = None


class TaskPage(Page):
    """A page of tasks."""

    tasks: list[Task]


class Company(Answer):
    """The caller's company and its settings."""

    id: str
    name: str
    currency: str
    timezone: str
    time_rounding: str
    allow_past_timer_starts: bool
    allow_future_expense_dates: bool


class User(Answer):
    """The caller; sync keys are not told `company` and `user_type`."""

    id: str
    first_name: Optional[str]
    last_name: Optional[str]
    email: str
    telephone: Optional[str]
    timezone: str
    has_access_to_all_future_projects: bool
    is_contractor: bool
    is_active: bool
    weekly_capacity: int
    default_hourly_rate: Optional[float]
    cost_rate: Optional[float]
    currency: str
    roles: list[str]
    membership_role: str
    avatar_url: Optional[str]
    capabilities: dict[str, bool]
    created_at: Stamp
    updated_at: Stamp
    user_type: Literal["human", "agent"] = "human"
    company: Optional[Company] = None


class Creator(Answer):
    """The user who made an invoice."""

    id: str
    name: Optional[str]
    email: str


class LineItem(Answer):
    """A line of an invoice."""

    id: str
    kind: str
    description: Optional[str]
    quantity: float
    unit_price: float
    amount: float
    taxed: bool
    taxed2: bool
    project_id: Optional[str]


class Invoice(Answer):
    """An invoice."""

    id: str
    client_id: str
    created_by_id: str
    client: IdName
    creator: Creator
    number: str
    purchase_order: Optional[str]
    subject: Optional[str]
    state: Literal["draft", "open", "paid", "closed"]
    amount: float
    due_amount: float
    tax: Optional[float]
    tax_amount: Optional[float]
    tax2: Optional[float]
    tax2_amount: Optional[float]
    discount: Optional[float]
    discount_amount: Optional[float]
    currency: str
    issue_date: Day
    due_date: Day
    payment_term: PaymentTerm
    notes: Optional[str]
    period_start: Optional[Day]
    period_end: Optional[Day]
    sent_at: Optional[Stamp]
    paid_at: Optional[Stamp]
    closed_at: Optional[Stamp]
    created_at: Stamp
    updated_at: Stamp
    line_items: list[LineItem]


class InvoicePage(Page):
    """A page of invoices."""

    invoices: list[Invoice]


class Deleted(Answer):
    """What remains of a deleted invoice."""

    id: str
    deleted: bool


class Recipient(Answer):
    """Who got an invoice."""

    name: str
    email: str


class InvoiceMessage(Answer):
    """A message that was sent with an invoice."""

    id: str
    invoice_id: str
    sent_by: Optional[str]
    sent_by_email: Optional[str]
    sent_from: Optional[str]
    sent_from_email: Optional[str]
    recipients: list[Recipient]
    subject: Optional[str]
    body: Optional[str]
    attach_pdf: bool
    send_me_a_copy: bool
    thank_you: bool
    reminder: bool
    event_type: Optional[str]
    created_at: Stamp
    updated_at: Stamp


class InvoiceMessagePage(Page):
    """A page of messages."""

    invoice_messages: list[InvoiceMessage]


class TeamTimeResult(Answer):
    """What a user worked."""

    user_id: str
    user_name: str
    is_contractor: bool
    weekly_capacity: int
    avatar_url: Optional[str]
    total_hours: float
    billable_hours: float
    currency: str
    billable_amount: float


class TeamTimePage(Page):
    """A page of the team report."""

    results: list[TeamTimeResult]
