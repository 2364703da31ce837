"""How records get to Keito."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from keito.outbox.record import BillingRecord


@dataclass(frozen=True)
class FlushReport:
    """Where the records of a delivery stand, counted since it was made.

    Attributes:
        delivered: Keito has them.
        pending: Not sent yet, or not received for certain; they will be sent again.
        held: Refused for a reason that an operator can put right (401, 402, 403, 404, 429); sent again at each flush.
        dead: Refused for good (other 4xx).
        unsure: No certain answer came. They may exist on Keito, and are not sent again before somebody has looked.
        dropped: Undelivered ones that a limit pushed out of memory, and runs or parts of runs of which no records
            could be made; the log has them.
    """

    delivered: int = 0
    pending: int = 0
    held: int = 0
    dead: int = 0
    unsure: int = 0
    dropped: int = 0

    @property
    def complete(self) -> bool:
        """Whether Keito has every record."""
        return not (self.pending or self.held or self.dead or self.unsure or self.dropped)


class Delivery(Protocol):
    """Takes records over and gets them to Keito. No method raises for a record's sake."""

    def deliver(self, records: Sequence[BillingRecord]) -> None:
        """Take over the records of one run, and send them soon."""
        ...

    def accept(self, records: Sequence[BillingRecord]) -> None:
        """Take over records that the next `flush` is to send."""
        ...

    def flush(self, timeout: float = 10.0) -> FlushReport:
        """Send what can be sent within `timeout` seconds, and say where everything stands."""
        ...

    def close(self) -> None:
        """Send what can be sent within a short time, and let go of everything else."""
        ...
