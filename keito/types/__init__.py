"""Every model and enum of the API."""

from keito.types.agent_metadata import AgentMetadata, OutcomeTypes
from keito.types.client import ClientCreate, ClientModel, ClientUpdate
from keito.types.common import (
    ApprovalStatus,
    IdName,
    InvoiceState,
    MessageEvent,
    PaymentTerm,
    Source,
    UserType,
)
from keito.types.contact import Contact, ContactCreate
from keito.types.expense import Expense, ExpenseCreate
from keito.types.given import NOT_GIVEN, NotGiven
from keito.types.invoice import (
    Creator,
    Invoice,
    InvoiceCreate,
    InvoiceMessage,
    InvoiceMessageCreate,
    InvoiceUpdate,
    LineItem,
    LineItemCreate,
    Recipient,
)
from keito.types.project import Project, ProjectCreate
from keito.types.report import (
    AgentOutcomes,
    AgentRevenue,
    AgentSummary,
    AgentSummaryGroup,
    AgentTime,
    AgentTotals,
    TeamTimeResult,
)
from keito.types.request_options import RequestOptions
from keito.types.task import Task
from keito.types.time_entry import TimeEntry, TimeEntryCreate, TimeEntryRestart, TimeEntryStop, TimeEntryUpdate
from keito.types.user import User

__all__ = [
    "NOT_GIVEN",
    "AgentMetadata",
    "AgentOutcomes",
    "AgentRevenue",
    "AgentSummary",
    "AgentSummaryGroup",
    "AgentTime",
    "AgentTotals",
    "ApprovalStatus",
    "ClientCreate",
    "ClientModel",
    "ClientUpdate",
    "Contact",
    "ContactCreate",
    "Creator",
    "Expense",
    "ExpenseCreate",
    "IdName",
    "Invoice",
    "InvoiceCreate",
    "InvoiceMessage",
    "InvoiceMessageCreate",
    "InvoiceState",
    "InvoiceUpdate",
    "LineItem",
    "LineItemCreate",
    "MessageEvent",
    "NotGiven",
    "OutcomeTypes",
    "PaymentTerm",
    "Project",
    "ProjectCreate",
    "Recipient",
    "RequestOptions",
    "Source",
    "Task",
    "TeamTimeResult",
    "TimeEntry",
    "TimeEntryCreate",
    "TimeEntryRestart",
    "TimeEntryStop",
    "TimeEntryUpdate",
    "User",
    "UserType",
]
