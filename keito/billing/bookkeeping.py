"""What a store makes possible: open runs outlive their process, and processes share the windows of rollups."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Optional
from weakref import WeakValueDictionary

from keito.billing.account import RunAccount
from keito.billing.attempts import Attempts
from keito.billing.chronicle import RunChronicle
from keito.billing.corrections import comes_after_correction
from keito.billing.cost import RunCost
from keito.billing.guard import Guard
from keito.billing.overtaken import supplement_of
from keito.billing.policy import BillingPolicy
from keito.billing.recovery import recover
from keito.billing.share import shares_of
from keito.billing.windows import close_due, close_named
from keito.metering import AgentRun
from keito.outbox import BillingRecord, OutboxError
from keito.outbox.durable import OutboxDelivery
from keito.outbox.journal import Journal
from keito.outbox.store import Store

_log = logging.getLogger("keito.billing")

_MOST_SHARES = 10_000
"""Shares of one process in one window; a busier window is closed in several pieces."""

_RECOVER_EVERY = 60.0
"""Seconds between two looks for runs that were left, however many billings a process makes."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Bookkeeping:
    """Keeps a store informed of the runs of one billing.

    Args:
        delivery: Commits to the store.
        guard: Takes errors of keito's own code.
    """

    def __init__(self, delivery: OutboxDelivery, guard: Guard) -> None:
        self._delivery = delivery
        self._guard = guard
        self._journal = _journal_of(delivery.store)
        self._windows: dict[str, tuple[datetime, int]] = {}
        self._lock = threading.RLock()
        _recover_soon(delivery.store)

    @property
    def next_end(self) -> Optional[datetime]:
        """When the first window is over to which this process has added something; long ago if one is full."""
        with self._lock:
            ends = (_LONG_AGO if count >= _MOST_SHARES else end for end, count in self._windows.values())
            return min(ends, default=None)

    def begin(self, run: AgentRun) -> None:
        """A root run starts."""
        account = run.ledger
        assert isinstance(account, RunAccount)
        uid, journal = run.uid, self._journal
        account.listener = lambda event: journal.note(uid, event)
        _recover_soon(self._delivery.store)
        journal.begin(RunChronicle(run, account.policy, self._delivery.destination))

    def end(
        self, run: AgentRun, policy: BillingPolicy, cost: RunCost, records: list[BillingRecord], attempt: Attempts
    ) -> None:
        """Commit the end of a run.

        Args:
            run: It has ended.
            policy: What it is billed by.
            cost: What it used.
            records: What is posted for it by itself.
            attempt: Makes what goes into windows.
        """
        if isinstance(run.ledger, RunAccount) and run.ledger.pid != os.getpid():
            _log.warning("Run %s was started before a fork: the process that started it bills it", run.uid)
            return
        is_known = self._journal.end(run.uid)
        if self._is_late_for_nothing(run):
            self._delivery.store.forget([run.uid])
            return
        shares = [] if policy.rollup is None else attempt(shares_of, run, policy, cost)
        if records or shares:
            stored = [share.stored() for share in shares]
            keys = self._delivery.commit(records, run_id=run.uid, shares=stored)
            if keys is None and is_known:
                self._forget(run)
            elif keys is not None and len(keys) < len(records) + len(shares):
                self._delivery.commit(self._since_closed(run, policy, cost, set(keys), records))
        elif is_known:
            self._delivery.store.forget([run.uid])
        with self._lock:
            for share in shares:
                _, count = self._windows.get(share.window.name, (None, 0))
                self._windows[share.window.name] = (share.window.end, count + 1)

    def _forget(self, run: AgentRun) -> None:
        """Its records are in the log, for somebody to post: what was noted of it must not be billed beside them."""
        try:
            self._delivery.store.forget([run.uid])
        except OutboxError:
            _log.error("Run %s is in the outbox as an open one: whoever recovers it bills it as abandoned", run.uid)

    def _is_late_for_nothing(self, run: AgentRun) -> bool:
        try:
            return comes_after_correction(run, self._delivery.store, self._delivery.destination)
        except OutboxError:  # whoever commits says it
            return False

    def _since_closed(
        self, run: AgentRun, policy: BillingPolicy, cost: RunCost, new: set[str], records: list[BillingRecord]
    ) -> list[BillingRecord]:
        """What is left to bill of a run of which the store had something already."""
        closed = {record.key: record for record in self._delivery.store.find(run_id=run.uid, limit=1000)}
        known = [closed.get(record.key) for record in records if record.key not in new]
        # What went into a window cannot be told from what the other runs used.
        is_told = policy.rollup is None and None not in known
        return supplement_of(run, policy, cost, [record for record in known if record is not None] if is_told else None)

    def close_due(self) -> None:
        """Turn windows that are over, or full, into records."""
        with self._lock:
            full = [name for name, (_, count) in self._windows.items() if count >= _MOST_SHARES]
            self._windows = _open_ones(self._windows)
        closed = close_named(self._delivery.store, self._delivery.destination, full)
        self._delivery.committed([*closed, *close_due(self._delivery.store, self._delivery.destination)])

    def close_all(self) -> None:
        """Turn every window into records, whoever has added to it; what follows in it gives further ones."""
        with self._lock:
            self._windows = {}
        closed = close_due(self._delivery.store, self._delivery.destination, all_of_them=True)
        self._delivery.committed(closed)


def _open_ones(windows: Mapping[str, tuple[datetime, int]]) -> dict[str, tuple[datetime, int]]:
    now = datetime.now(timezone.utc)
    return {name: (end, count) for name, (end, count) in windows.items() if end > now and count < _MOST_SHARES}


_journals: WeakValueDictionary[int, Journal] = WeakValueDictionary()
"""One for each store, which it keeps alive: the number is that of no other one meanwhile."""

_recovered: dict[str, float] = {}
_making = threading.Lock()


def _journal_of(store: Store) -> Journal:
    with _making:
        journal = _journals.get(id(store))
        if journal is None:
            journal = _journals[id(store)] = Journal(store)
        return journal


def _recover_soon(store: Store) -> None:
    """Look for runs that other processes have left behind, off the agent's thread."""
    now = time.monotonic()
    if now - _recovered.get(store.url, -_RECOVER_EVERY) < _RECOVER_EVERY:
        return
    _recovered[store.url] = now
    threading.Thread(target=_recover, args=(store,), name="keito-recovery", daemon=True).start()


def _recover(store: Store) -> None:
    try:
        recover(store)
    except Exception as error:  # nobody waits for this thread; the next one looks again
        _log.warning("The journal of open runs cannot be read: %s", error)
