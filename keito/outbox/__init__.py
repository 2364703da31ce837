"""From billing records to entries on Keito."""

from keito.outbox.delivery import Delivery, FlushReport
from keito.outbox.direct import DirectDelivery
from keito.outbox.record import BillingRecord, RecordKind

__all__ = ["BillingRecord", "Delivery", "DirectDelivery", "FlushReport", "RecordKind"]
