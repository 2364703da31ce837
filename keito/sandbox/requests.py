"""What the API accepts in a request body. An unknown field is refused: a typo must not pass in silence."""

from __future__ import annotations

from typing import Any, Literal, Optional

from pydantic import BaseModel, ConfigDict, Field

from keito.sandbox.fields import (
    Amount,
    Clock,
    Currency,
    Day,
    Days,
    Email,
    Given,
    Hours,
    Id,
    Name,
    Percent,
    SignedAmount,
    Units,
)

TimeSource = Literal["web", "cli", "api", "agent", "calendar", "desktop"]
ExpenseSource = Literal["web", "cli", "api", "agent"]
PaymentTerm = Literal["upon_receipt", "net_15", "net_30", "net_45", "net_60", "custom"]
Metadata = dict[str, Any]


class Body(BaseModel):
    """A strict JSON object."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    def sent(self) -> dict[str, Any]:
        """The fields that were in the request, null ones too."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class TimeEntryCreate(Body):
    """A new time entry, or a timer when `is_running` is true."""

    project_id: Id
    task_id: Id
    spent_date: Day
    user_id: Given[Id] = None
    hours: Optional[Hours] = None
    notes: Optional[str] = None
    billable: Given[bool] = None
    is_running: bool = False
    replace_running: bool = False
    started_time: Optional[Clock] = None
    ended_time: Optional[Clock] = None
    source: TimeSource = "api"
    metadata: Optional[Metadata] = None


class TimeEntryUpdate(Body):
    """Changes of a time entry; `source` cannot be changed and a timer is stopped elsewhere."""

    project_id: Given[Id] = None
    task_id: Given[Id] = None
    spent_date: Given[Day] = None
    hours: Given[Hours] = None
    notes: Optional[str] = None
    billable: Given[bool] = None
    started_time: Optional[Clock] = None
    ended_time: Optional[Clock] = None
    metadata: Optional[Metadata] = None


class TimeEntryStop(Body):
    """Notes to leave while stopping a timer."""

    notes: Optional[str] = None


class TimeEntryRestart(Body):
    """How to restart an entry."""

    replace_running: bool = False


class ExpenseCreate(Body):
    """A new expense; one of `total_cost` and `units` is needed."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["total_cost"]}, {"required": ["units"]}]},
    )

    project_id: Id
    expense_category_id: Id
    spent_date: Day
    total_cost: Given[Amount] = None
    units: Given[Units] = None
    notes: Optional[str] = None
    billable: Given[bool] = None
    source: ExpenseSource = "api"
    metadata: Optional[Metadata] = None


class ProjectCreate(Body):
    """A new project."""

    client_id: Id
    name: Name
    code: Optional[str] = Field(default=None, max_length=255)
    notes: Optional[str] = None
    is_billable: bool = True
    bill_by: Name = "none"
    budget_by: Name = "none"
    task_ids: Given[list[Id]] = None


class _ClientFields(Body):
    address: Optional[str] = None
    currency: Given[Currency] = None
    payment_terms: Given[PaymentTerm] = None
    payment_days: Optional[Days] = None
    tax: Optional[Percent] = None
    tax2: Optional[Percent] = None
    discount: Optional[Percent] = None
    is_active: Given[bool] = None


class ClientCreate(_ClientFields):
    """A new client."""

    name: Name


class ClientUpdate(_ClientFields):
    """Changes of a client."""

    name: Given[Name] = None


class ContactCreate(Body):
    """A new contact of a client."""

    client_id: Id
    first_name: Name
    last_name: Optional[str] = None
    title: Optional[str] = None
    email: Optional[str] = None
    phone_office: Optional[str] = None
    phone_mobile: Optional[str] = None
    fax: Optional[str] = None


class LineItemCreate(Body):
    """A line of a new invoice."""

    kind: Name = "Service"
    description: Optional[str] = None
    quantity: SignedAmount = 1
    unit_price: SignedAmount = 0
    taxed: bool = False
    taxed2: bool = False
    project_id: Optional[Id] = None


class InvoiceUpdate(Body):
    """Changes of a draft invoice."""

    subject: Optional[str] = None
    issue_date: Given[Day] = None
    due_date: Given[Day] = None
    purchase_order: Optional[str] = None
    tax: Optional[Percent] = None
    tax2: Optional[Percent] = None
    discount: Optional[Percent] = None
    notes: Optional[str] = None
    period_start: Optional[Day] = None
    period_end: Optional[Day] = None


class InvoiceCreate(InvoiceUpdate):
    """A new draft invoice."""

    client_id: Id
    payment_term: PaymentTerm = "net_30"
    currency: Given[Currency] = None
    line_items: list[LineItemCreate] = Field(default_factory=list[LineItemCreate])


class Recipient(Body):
    """Who gets an invoice."""

    name: str
    email: Email


class InvoiceMessageCreate(Body):
    """An invoice to be sent. The sandbox records it; nothing is mailed."""

    recipients: list[Recipient] = Field(min_length=1)
    subject: Optional[str] = None
    body: Optional[str] = None
    attach_pdf: bool = True
    send_me_a_copy: bool = False
    include_attachments: bool = False
    event_type: Literal["send", "reminder", "thank_you"] = "send"
