"""What gets posted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class RecordKind(str, Enum):
    """What a record becomes on Keito. An outcome is a time entry of 0 hours there."""

    TIME_ENTRY = "time_entry"
    OUTCOME = "outcome"
    EXPENSE = "expense"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class BillingRecord:
    """One thing to post, complete and final.

    Attributes:
        key: Identifies it for ever. It goes out as `Idempotency-Key` and in `metadata["keito"]["key"]`.
        kind: What it becomes.
        body: The request's body, JSON-ready but for money and hours, which are `Decimal`.
        members: The keys of the records that a rollup put into this one. None of them is posted by itself, and none
            is in another rollup.
    """

    key: str
    kind: RecordKind
    body: Mapping[str, Any]
    members: tuple[str, ...] = ()
