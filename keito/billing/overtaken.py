"""A run that another process took for abandoned, and closed, while its own was only frozen."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Optional

from keito.billing.account import RunAccount
from keito.billing.charge import DOLLARS
from keito.billing.cost import RunCost
from keito.billing.policy import BillingPolicy
from keito.billing.records import cost_of, records_with
from keito.metering import AgentRun
from keito.metering.by_hand import EXACT
from keito.outbox import BillingRecord, StoredRecord

_log = logging.getLogger("keito.billing")


def supplement_of(
    run: AgentRun, policy: BillingPolicy, cost: RunCost, closed: Optional[Iterable[StoredRecord]]
) -> list[BillingRecord]:
    """What the run has cost since it was closed, as records of their own. Its time stays as it was closed.

    Args:
        run: It has ended now.
        policy: What it is billed by.
        cost: What it used from its beginning.
        closed: The records that another process made of it; `None` if nobody can tell which.
    """
    more = None if closed is None else _more(cost, [json.loads(record.body) for record in closed])
    if more is None:
        _log.error("Run %s was closed by another process meanwhile; what it used since then is not billed", run.uid)
        return []
    _log.warning("Run %s was closed by another process meanwhile; it has cost %s more since then", run.uid, more)
    if not more or not isinstance(run.ledger, RunAccount):
        return []
    late = run.supplement(run.ledger.supplement())
    late.record_usage("model calls after the run was closed", unit="run", cost=more)
    late.end(run.status, elapsed_ns=run.elapsed_ns)
    return records_with(late, policy, cost_of(late, policy))


def _more(cost: RunCost, closed: list[dict[str, Any]]) -> Optional[Decimal]:
    """The difference in US dollars; `None` if it cannot be told."""
    amounts = cost.amounts
    facts: list[dict[str, Any]] = [body["metadata"]["keito"] for body in closed if "total_cost" in body]
    if set(amounts) - {DOLLARS} or not cost.complete or not all("cost_usd" in fact for fact in facts):
        return None
    billed = Decimal(0)
    for fact in facts:
        billed = EXACT.add(billed, Decimal(fact["cost_usd"]))
    return max(Decimal(0), EXACT.subtract(amounts.get(DOLLARS, Decimal(0)), billed))
