"""What a relay does for agents beside sending: it bills what their processes left behind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Optional

from keito.billing.recovery import recover
from keito.billing.windows import close_due, next_look
from keito.outbox.relay.housekeeping import Chore

if TYPE_CHECKING:
    from keito.outbox.store import Store


def chores(store: Store, destination: str) -> Sequence[Chore]:
    """Close the windows of rollups that are over, and bill the runs whose process is gone.

    An agent does both by itself. Where it runs no more, somebody else has to.
    """
    return [partial(_close_windows, store, destination), partial(_recover, store)]


def _close_windows(store: Store, destination: str) -> Optional[float]:
    close_due(store, destination)
    return next_look(store, destination)


def _recover(store: Store) -> None:
    recover(store)
