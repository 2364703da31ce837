"""What a relay does for billings beside sending."""

from __future__ import annotations

from typing import Optional

from keito.billing.recovery import recover
from keito.billing.windows import close_due, next_look
from keito.outbox.housekeeping import Chore
from keito.outbox.store import Store

_OFTEN = 15.0
"""Seconds between two looks: other processes add windows, and die, at any time."""


def chores(store: Store, destination: str) -> list[Chore]:
    """Bill the runs whose process is gone, and close the windows of rollups that are over."""

    def close_runs() -> float:
        recover(store)
        return _OFTEN

    def close_windows() -> Optional[float]:
        close_due(store, destination)
        seconds = next_look(store, destination)
        return _OFTEN if seconds is None else min(seconds, _OFTEN)

    return [close_runs, close_windows]
