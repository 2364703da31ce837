"""What can be put into a workspace. A record may be as short as `{"id": "proj_123"}`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Optional

from pydantic import AfterValidator, Field

from keito.sandbox.context import new_id, zone
from keito.sandbox.fields import Amount, Clock, Currency, Day, Given, Hours, Id, Percent, QueryInstant, Units
from keito.sandbox.requests import Body, ExpenseSource, LineItemCreate, Metadata, PaymentTerm, TimeSource

DEMO_ACCOUNT = "acc_sandbox"
DEMO_CLIENT = "cli_acme"
DEMO_USER = "usr_agent"


def _known_zone(name: str) -> str:
    try:
        zone(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("is not a time zone that this machine knows") from None
    return name


class CompanySeed(Body):
    """A company; its id is what goes into `Keito-Account-Id`. Of a known one, only what is sent changes."""

    id: Id
    name: Optional[str] = None
    currency: Currency = "USD"
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    allow_past_timer_starts: bool = False
    allow_future_expense_dates: bool = True


class KeySeed(Body):
    """An API key; a `sync` key can only read."""

    key: Id
    kind: Literal["full", "sync"] = "full"


class Seed(Body):
    """A record of a company."""

    id: Id = Field(default_factory=new_id)
    account_id: Id = DEMO_ACCOUNT


class StampedSeed(Seed):
    """A record that says when it was made."""

    created_at: Given[QueryInstant] = None
    updated_at: Given[QueryInstant] = None


class UserSeed(StampedSeed):
    """A user with keys; without `project_ids` assigned to every project."""

    first_name: Optional[str] = None
    last_name: Optional[str] = None
    email: Optional[str] = None
    telephone: Optional[str] = None
    timezone: str = "UTC"
    is_contractor: bool = False
    is_active: bool = True
    weekly_capacity: int = 144000
    default_hourly_rate: Optional[Amount] = None
    cost_rate: Optional[Amount] = None
    role: Literal["member", "manager", "administrator"] = "member"
    user_type: Literal["human", "agent"] = "human"
    avatar_url: Optional[str] = None
    keys: list[KeySeed] = Field(default_factory=list[KeySeed])
    project_ids: Optional[list[Id]] = None


class ClientSeed(StampedSeed):
    """A client."""

    name: Optional[str] = None
    address: Optional[str] = None
    currency: Currency = "USD"
    is_active: bool = True
    payment_terms: PaymentTerm = "net_30"
    payment_days: Optional[int] = None
    tax: Optional[Percent] = None
    tax2: Optional[Percent] = None
    discount: Optional[Percent] = None
    statement_key: str = Field(default_factory=new_id)


class ContactSeed(StampedSeed):
    """A contact of a client."""

    client_id: Id = DEMO_CLIENT
    first_name: str = "Contact"
    last_name: Optional[str] = None
    title: Optional[str] = None
    email: Optional[str] = None
    phone_office: Optional[str] = None
    phone_mobile: Optional[str] = None
    fax: Optional[str] = None


class TaskSeed(StampedSeed):
    """A task; without `project_ids` assigned to every project."""

    name: Optional[str] = None
    billable_by_default: bool = True
    default_hourly_rate: Optional[Amount] = None
    is_default: bool = False
    is_active: bool = True
    parent_task_id: Optional[str] = None
    project_ids: Optional[list[Id]] = None


class CategorySeed(Seed):
    """An expense category; `unit_price` prices expenses that send only units."""

    name: Optional[str] = None
    unit_price: Optional[Amount] = None
    is_active: bool = True


class ProjectSeed(StampedSeed):
    """A project; without `task_ids` it has every task."""

    client_id: Id = DEMO_CLIENT
    owner_id: Optional[Id] = None
    name: Optional[str] = None
    code: Optional[str] = None
    is_active: bool = True
    is_billable: bool = True
    is_fixed_fee: bool = False
    bill_by: str = "none"
    hourly_rate: Optional[Amount] = None
    fee: Optional[Amount] = None
    budget_by: str = "none"
    budget: Optional[Amount] = None
    budget_is_monthly: bool = False
    notify_when_over_budget: bool = False
    over_budget_notification_percentage: Optional[Percent] = None
    show_budget_to_all: bool = False
    cost_budget: Optional[Amount] = None
    cost_budget_include_expenses: bool = False
    starts_on: Optional[Day] = None
    ends_on: Optional[Day] = None
    notes: Optional[str] = None
    task_ids: Optional[list[Id]] = None
    user_ids: list[Id] = Field(default_factory=list[Id])


class EntrySeed(StampedSeed):
    """A time entry, also one that no request could make: in the past, locked, approved, billed."""

    user_id: Id = DEMO_USER
    project_id: Id
    task_id: Id
    spent_date: Day
    hours: Hours = 0
    notes: Optional[str] = None
    billable: Given[bool] = None
    is_running: bool = False
    timer_started_at: Given[QueryInstant] = None
    started_time: Optional[Clock] = None
    ended_time: Optional[Clock] = None
    is_locked: bool = False
    is_closed: bool = False
    is_billed: bool = False
    source: TimeSource = "web"
    metadata: Optional[Metadata] = None


class ExpenseSeed(StampedSeed):
    """An expense."""

    user_id: Id = DEMO_USER
    project_id: Id
    expense_category_id: Id
    spent_date: Day
    total_cost: Amount = 0
    units: Optional[Units] = None
    notes: Optional[str] = None
    billable: bool = True
    is_locked: bool = False
    is_billed: bool = False
    approval_status: Literal["unsubmitted", "submitted", "approved", "rejected"] = "unsubmitted"
    source: ExpenseSource = "web"
    metadata: Optional[Metadata] = None


class InvoiceSeed(StampedSeed):
    """An invoice in any state."""

    client_id: Id = DEMO_CLIENT
    user_id: Id = DEMO_USER
    number: str
    purchase_order: Optional[str] = None
    subject: Optional[str] = None
    state: Literal["draft", "open", "paid", "closed"] = "draft"
    tax: Optional[Percent] = None
    tax2: Optional[Percent] = None
    discount: Optional[Percent] = None
    currency: Currency = "USD"
    issue_date: Day
    due_date: Given[Day] = None
    payment_term: PaymentTerm = "net_30"
    notes: Optional[str] = None
    line_items: list[LineItemCreate] = Field(default_factory=list[LineItemCreate])


class SeedRequest(Body):
    """Records to put into the workspace; one with a known id replaces it."""

    companies: list[CompanySeed] = Field(default_factory=list[CompanySeed])
    clients: list[ClientSeed] = Field(default_factory=list[ClientSeed])
    contacts: list[ContactSeed] = Field(default_factory=list[ContactSeed])
    tasks: list[TaskSeed] = Field(default_factory=list[TaskSeed])
    categories: list[CategorySeed] = Field(default_factory=list[CategorySeed])
    projects: list[ProjectSeed] = Field(default_factory=list[ProjectSeed])
    users: list[UserSeed] = Field(default_factory=list[UserSeed])
    entries: list[EntrySeed] = Field(default_factory=list[EntrySeed])
    expenses: list[ExpenseSeed] = Field(default_factory=list[ExpenseSeed])
    invoices: list[InvoiceSeed] = Field(default_factory=list[InvoiceSeed])

    def counts(self) -> dict[str, int]:
        """How many records of each kind there are."""
        lists: dict[str, list[Any]] = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: len(records) for name, records in sorted(lists.items())}
