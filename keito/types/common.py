"""What several resources share: the base of all models, the enums and small objects."""

from enum import Enum
from typing import Optional, TypeVar

from pydantic import BaseModel, ConfigDict

E = TypeVar("E", bound="OpenEnum")


class OpenEnum(str, Enum):
    """An enum that the server may extend: a value that keito does not know becomes a member of its own.

    `Source("robot").value` is `"robot"`. Members compare equal to their text.
    """

    def __format__(self, spec: str) -> str:
        """The same text as `str()` on every Python; before 3.12 an enum's own would differ."""
        return format(str(self), spec)

    @classmethod
    def _missing_(cls: "type[E]", value: object) -> "Optional[E]":
        if not isinstance(value, str):
            return None
        member: E = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member


class Source(OpenEnum):
    """Where an entry came from. Immutable after creation; expenses know only the first four."""

    WEB = "web"
    CLI = "cli"
    API = "api"
    AGENT = "agent"
    CALENDAR = "calendar"
    DESKTOP = "desktop"


class UserType(OpenEnum):
    """Whether a person or an AI agent owns the account."""

    HUMAN = "human"
    AGENT = "agent"


class InvoiceState(OpenEnum):
    """draft -> open (sent) -> paid or closed (written off)."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    CLOSED = "closed"


class PaymentTerm(OpenEnum):
    """When an invoice is due, counted from its issue date."""

    UPON_RECEIPT = "upon_receipt"
    NET_15 = "net_15"
    NET_30 = "net_30"
    NET_45 = "net_45"
    NET_60 = "net_60"
    CUSTOM = "custom"


class ApprovalStatus(OpenEnum):
    """How far an expense is in the approval workflow."""

    UNSUBMITTED = "unsubmitted"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"


class MessageEvent(OpenEnum):
    """Why an invoice message is sent."""

    SEND = "send"
    REMINDER = "reminder"
    THANK_YOU = "thank_you"


class Model(BaseModel):
    """An answer of the API: frozen, tolerant of what the server adds or leaves out.

    Only ids are certain: recorded answers of the real API lack fields that its contract lists. Fields that
    keito does not know are kept and can be read as attributes or in `model_extra`.
    """

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=(), defer_build=True)


class IdName(Model):
    """A reference to another object: its id and, where the reader may see it, its name."""

    id: str
    name: Optional[str] = None
