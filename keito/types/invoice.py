"""Invoices and the messages that send them."""

from datetime import date, datetime
from typing import Any, Optional, Union

from keito.types.common import IdName, InvoiceState, MessageEvent, Model, PaymentTerm
from keito.types.given import Amount, Day
from keito.types.request import Request


class LineItem(Model):
    """One line of an invoice: `amount` is quantity times unit price."""

    id: Optional[str] = None
    kind: Optional[str] = None
    description: Optional[str] = None
    quantity: Optional[float] = None
    unit_price: Optional[float] = None
    amount: Optional[float] = None
    taxed: Optional[bool] = None
    taxed2: Optional[bool] = None
    project_id: Optional[str] = None


class Creator(IdName):
    """Who made an invoice."""

    email: Optional[str] = None


class Invoice(Model):
    """An invoice with its lines. Amounts are in `currency`; taxes and discount are percentages beside their amounts."""

    id: str
    client_id: Optional[str] = None
    created_by_id: Optional[str] = None
    client: Optional[IdName] = None
    creator: Optional[Creator] = None
    number: Optional[str] = None
    purchase_order: Optional[str] = None
    subject: Optional[str] = None
    state: Optional[InvoiceState] = None
    amount: Optional[float] = None
    due_amount: Optional[float] = None
    tax: Optional[float] = None
    tax_amount: Optional[float] = None
    tax2: Optional[float] = None
    tax2_amount: Optional[float] = None
    discount: Optional[float] = None
    discount_amount: Optional[float] = None
    currency: Optional[str] = None
    issue_date: Optional[date] = None
    due_date: Optional[date] = None
    payment_term: Optional[PaymentTerm] = None
    notes: Optional[str] = None
    period_start: Optional[date] = None
    period_end: Optional[date] = None
    sent_at: Optional[datetime] = None
    paid_at: Optional[datetime] = None
    closed_at: Optional[datetime] = None
    created_at: Optional[datetime] = None
    updated_at: Optional[datetime] = None
    line_items: Optional[list[LineItem]] = None


class LineItemCreate(Request):
    """A line of a new invoice; the server's defaults are kind "Service", quantity 1 and unit price 0."""

    kind: Optional[str] = None
    description: Optional[str] = None
    quantity: Optional[Amount] = None
    unit_price: Optional[Amount] = None
    taxed: Optional[bool] = None
    taxed2: Optional[bool] = None
    project_id: Optional[str] = None


class InvoiceUpdate(Request):
    """Changes to a draft invoice. Lines, state, currency and payment term cannot be changed."""

    subject: Optional[str] = None
    issue_date: Optional[Day] = None
    due_date: Optional[Day] = None
    purchase_order: Optional[str] = None
    tax: Optional[Amount] = None
    tax2: Optional[Amount] = None
    discount: Optional[Amount] = None
    notes: Optional[str] = None
    period_start: Optional[Day] = None
    period_end: Optional[Day] = None


class InvoiceCreate(InvoiceUpdate):
    """A draft invoice. `issue_date` is today and `payment_term` net 30 unless given; the number is the server's."""

    client_id: str
    payment_term: Union[PaymentTerm, str, None] = None
    currency: Optional[str] = None
    line_items: Optional[list[LineItemCreate]] = None


class InvoiceMessage(Model):
    """A message that carried an invoice to its recipients."""

    id: str
    invoice_id: Optional[str] = None
    sent_by: Optional[str] = None
    sent_by_email: Optional[str] = None
    sent_from: Optional[str] = None
    sent_from_email: Optional[str] = None
    recipients: Any = None
    subject: Optional[str] = None
    body: Optional[str] = None
    attach_pdf: Optional[bool] = None
    send_me_a_copy: Optional[bool] = None
    thank_you: Optional[bool] = None
    reminder: Optional[bool] = None
    event_type: Optional[MessageEvent] = None
    created_at: Optional[datetime] = None
    updated_at: Optional[datetime] = None


class Recipient(Request):
    """Whom an invoice message goes to."""

    name: str
    email: str


class InvoiceMessageCreate(Request):
    """A message to send with an invoice; sending moves a draft to open."""

    recipients: list[Recipient]
    subject: Optional[str] = None
    body: Optional[str] = None
    attach_pdf: Optional[bool] = None
    send_me_a_copy: Optional[bool] = None
    include_attachments: Optional[bool] = None
    event_type: Union[MessageEvent, str, None] = None
