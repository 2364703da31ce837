"""From billing records to entries on Keito."""

from keito.outbox.delivery import Delivery, FlushReport
from keito.outbox.direct import DirectDelivery
from keito.outbox.durable import OutboxDelivery
from keito.outbox.errors import OutboxError
from keito.outbox.record import BillingRecord, RecordKind
from keito.outbox.stored import RecordState, StoredRecord
from keito.outbox.stores.open_store import open_store

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
