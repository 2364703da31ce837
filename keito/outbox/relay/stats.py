"""What a relay has done since it was made."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from keito.outbox.relay.attempt import DELIVERED, Attempt
from keito.outbox.relay.reconcile import Reconciliation


@dataclass
class RelayStats:
    """Written by the relay's thread, read by any.

    Attributes:
        attempts: Requests that were to create something.
        delivered: Records that got onto Keito, by an attempt or found there.
        failures: Attempts that were no success, by HTTP status or `no answer`.
        found: Records in doubt that Keito had.
        absent: Records in doubt that it had not.
        duplicates: Records that it had more than once.
        listings_failed: How often nothing was to be learned of records in doubt.
    """

    attempts: int = 0
    delivered: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    found: int = 0
    absent: int = 0
    duplicates: int = 0
    listings_failed: int = 0

    def attempted(self, attempt: Attempt) -> None:
        """Count an attempt."""
        self.attempts += 1
        if attempt.outcome == DELIVERED:
            self.delivered += 1
        else:
            self.failures[attempt.outcome] += 1

    def reconciled(self, result: Reconciliation) -> None:
        """Count what was learned of records in doubt."""
        self.found += result.found
        self.delivered += result.found
        self.absent += result.absent
        self.duplicates += result.duplicates
        self.listings_failed += result.error is not None
