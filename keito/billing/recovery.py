"""Bills the runs whose process is gone."""

from __future__ import annotations

import logging
from typing import Optional

from keito.billing.attempts import Attempts
from keito.billing.chronicle import AbandonedRun, has_prices
from keito.billing.corrections import comes_after_correction
from keito.billing.cost import RunCost
from keito.billing.guard import Guard
from keito.billing.policy import BillingPolicy
from keito.billing.records import cost_of, outcome_records, records_with
from keito.billing.share import shares_of
from keito.metering import AgentRun
from keito.outbox import BillingRecord
from keito.outbox.process import is_gone, is_worker, worker
from keito.outbox.store import Store
from keito.outbox.stored import OpenRun, WindowShare

_log = logging.getLogger("keito.billing")

LEASE = 60.0
"""Seconds that a recovery may take. What it leaves, anyone may take afterwards."""


def recover(store: Store, guard: Optional[Guard] = None) -> int:
    """Bill the open runs in a store whose process is gone, with what they had used; answers how many runs that were.

    They end as `abandoned`, by the policy that they were started with. Their records have the keys that the run itself
    would have given them: none of them is billed twice, whoever else does the same. Any process may call it at any
    time. A run that this process cannot bill is left to one that can, and the log says why.
    """
    guard = guard or Guard()
    # By a name of its own, so that what it leaves is not taken for open runs of this process.
    found = store.take_orphans(_is_gone, worker(), LEASE)
    return sum(_close(store, run, guard) for run in found)


def _is_gone(name: str) -> Optional[bool]:
    """As `is_gone`; but what a process has taken over and left, its lease frees while the process lives."""
    gone = is_gone(name)
    return gone or None if is_worker(name) else gone


def _close(store: Store, found: OpenRun, guard: Guard) -> bool:
    try:
        rebuilt = AbandonedRun.of(found, guard)
        if rebuilt is None or comes_after_correction(rebuilt.run, store, found.destination):
            store.forget([found.uid])
            return False
        if rebuilt.had_prices and not has_prices():
            _log.warning('Run %s is not billed here, where prices are missing: pip install "keito[pricing]"', found.uid)
            return False
        cost = cost_of(rebuilt.run, rebuilt.policy)
        records, shares = bill_of(rebuilt.run, rebuilt.policy, cost, Attempts(guard))
        store.add(records, found.destination, run_id=found.uid, shares=shares)
    except Exception as error:  # the other runs are good
        guard.caught("recovery", error)
        return False
    _log.warning("Run %s (%s) was abandoned by its process; it is billed as such", found.uid, rebuilt.run.name)
    return True


def bill_of(
    run: AgentRun, policy: BillingPolicy, cost: RunCost, attempt: Optional[Attempts] = None
) -> tuple[list[BillingRecord], list[WindowShare]]:
    """What is committed at the end of a run: its records, and with a rollup its shares in the place of some.

    Args:
        run: The run.
        policy: What it is billed by.
        cost: What it used.
        attempt: Makes each record; by default what one of them raises is raised.
    """
    attempt = attempt or Attempts()
    if policy.rollup is None:
        return records_with(run, policy, cost, attempt), []
    shares = [share.stored() for share in shares_of(run, policy, cost)]
    return list(outcome_records(run, policy, attempt)), shares
