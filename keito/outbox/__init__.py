"""From billing records to entries on Keito."""

from typing import TYPE_CHECKING, Any

from keito.outbox.delivery import Delivery, FlushReport
from keito.outbox.direct import DirectDelivery
from keito.outbox.durable import OutboxDelivery
from keito.outbox.open_store import open_store
from keito.outbox.record import BillingRecord, RecordKind
from keito.outbox.stored import RecordState, StoredRecord

if TYPE_CHECKING:
    from keito.outbox.errors import OutboxError

__all__ = [
    "BillingRecord",
    "Delivery",
    "DirectDelivery",
    "FlushReport",
    "OutboxDelivery",
    "OutboxError",
    "RecordKind",
    "RecordState",
    "StoredRecord",
    "open_store",
]


def __getattr__(name: str) -> Any:
    # With the SDK's errors comes httpx, which a fresh process pays for only once somebody asks for them.
    if name != "OutboxError":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from keito.outbox.errors import OutboxError  # noqa: PLC0415

    return OutboxError
