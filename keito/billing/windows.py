"""The windows of rollups in a store, shared by every process that bills to it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Optional

from keito.billing.rollup_records import Carry, records_of
from keito.billing.share import Share
from keito.billing.window import Window
from keito.outbox import BillingRecord
from keito.outbox.store import Store

_log = logging.getLogger("keito.billing")

GRACE = 2.0
"""Seconds after the end of a window: a run that ends in the last moment is still on its way to it."""

_OFTEN = 60.0
"""Seconds between two looks at most: others may add windows that end sooner."""


def close_due(store: Store, destination: str, *, all_of_them: bool = False) -> list[str]:
    """Turn the windows that are over into records, or all of them; answers the keys of the records.

    Any process may do it, at any time: of two that try, one finds the shares. A window that cannot be read, because
    a newer keito has written it, is left to one that can.
    """
    return close_named(store, destination, store.due_windows(destination, all_of_them=all_of_them))


def close_named(store: Store, destination: str, windows: Sequence[str]) -> list[str]:
    """Turn these windows into records, over or not; answers the keys of the records."""
    return [key for window in windows for key in _close(store, destination, window)]


def _close(store: Store, destination: str, window: str) -> Sequence[str]:
    try:
        return store.close_window(destination, window, records_of_shares)
    except Exception:  # the other windows are good
        _log.exception("Rollup %s cannot be billed", window)
        return ()


def records_of_shares(bodies: Sequence[str], carried: Mapping[str, str]) -> tuple[list[BillingRecord], dict[str, str]]:
    """The records of a window, and what rounding leaves for later ones. A pure function, as a store wants it."""
    shares = [Share.read(body) for body in bodies]
    window = Window(shares[0].window, shares[0].policy, shares[0].agent_id)
    for share in shares:
        share.add_to(window)
    carry: Carry = {_place(text): Decimal(amount) for text, amount in carried.items()}
    records = records_of(window, f"{window.key.name}-{_digest(shares)}", carry)
    after = {_text(place): str(amount) for place, amount in carry.items()}
    return records, {text: after.get(text, "") for text in {*carried, *after}}


def _digest(shares: Sequence[Share]) -> str:
    """Tells apart the pieces of a window that is closed several times. A share is in one of them only."""
    runs = "\n".join(sorted(share.run_id for share in shares))
    return hashlib.sha256(runs.encode()).hexdigest()[:16]


def _text(place: tuple[str, str, str]) -> str:
    return json.dumps(place)


def _place(text: str) -> tuple[str, str, str]:
    place, model, currency = json.loads(text)
    return place, model, currency


def next_look(store: Store, destination: str) -> Optional[float]:
    """In how many seconds to look again, because the first window is over by then; `None` if there is none."""
    seconds = store.next_window_end(destination)
    return None if seconds is None else min(max(0.0, seconds) + GRACE, _OFTEN)
