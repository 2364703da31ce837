"""What a run spends, while it runs."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Optional

from keito.billing.budget import Budget, Spending
from keito.billing.charge import DOLLARS, worth
from keito.billing.cost import RunCost
from keito.billing.guard import Guard
from keito.billing.policy import BillingPolicy
from keito.billing.pricing import add_call, price_of, sound
from keito.metering import LLMCall, OtherUsage, Outcome
from keito.metering.journal import RunEvent

_log = logging.getLogger("keito.billing")

_Scope = tuple[str, Budget, Optional[date]]


class Meters:
    """What was spent of the budgets of days and projects, by all runs of a billing. Thread-safe."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # as that of a run's events
        self._spent: dict[_Scope, Spending] = {}

    def spending(self, policy: BillingPolicy, budget: Budget) -> Spending:
        """What was spent of a budget so far; the caller holds the lock."""
        day = datetime.now(policy.zone).date() if budget.per == "day" else None
        scope = (policy.project_id, budget, day)
        if scope not in self._spent:
            # Days that are over are nobody's limit any more. Two may be going on at a time, in different zones.
            kept = {key: spent for key, spent in self._spent.items() if _is_near(key[2], day)}
            self._spent = {**kept, scope: Spending()}
        return self._spent[scope]


def _is_near(day: Optional[date], other: Optional[date]) -> bool:
    return day is None or other is None or abs((day - other).days) <= 1


class RunAccount:
    """The ledger of a root run: the cost of the calls that the run keeps no longer, and what budgets count.

    Args:
        run_id: The run.
        policy: What it is billed by.
        meters: The budgets that it shares with other runs.
        guard: Takes errors of keito's own code.

    Attributes:
        cost: The folded calls, each priced by itself when it was recorded.
        flags: What the records of the run are to say.
        pid: The process that bills the run.
        listener: Is told what happens in the run.
    """

    def __init__(self, run_id: str, policy: BillingPolicy, meters: Meters, guard: Guard) -> None:
        self.run_id = run_id
        self.policy = policy
        self.cost = RunCost()
        self.flags: set[str] = set()
        self.pid = os.getpid()
        self.listener: Optional[Callable[[RunEvent], None]] = None
        self._own: dict[Budget, Spending] = {}
        self._meters = meters
        self._guard = guard
        self._waiting: list[LLMCall] = []
        self._is_folding = False

    def supplement(self) -> RunAccount:
        """The ledger of what comes after the end of the run: it counts for the same budgets."""
        account = RunAccount(self.run_id, self.policy, self._meters, self._guard)
        account._own = self._own
        return account

    def fold(self, call: LLMCall) -> None:
        """Price a call at its own time and add it up. The run holds its lock meanwhile."""
        self._waiting.append(call)
        if self._is_folding:
            return  # the garbage collector drops a stream in the midst of another fold, which goes on with it
        self._is_folding = True
        try:
            while self._waiting:
                self._add(self._waiting.pop(0))
        finally:
            self._is_folding = False

    def _add(self, call: LLMCall) -> None:
        try:
            add_call(self.cost, call, self.policy)
        except Exception as error:  # the agent never breaks
            self._guard.caught("fold", error)

    def note(self, call: LLMCall, instead_of: Optional[LLMCall] = None) -> None:
        """Count a call for the budgets, in place of what was known of it before."""
        if self.listener is not None:
            self.listener(call)
        if not self.policy.budget:
            return
        try:
            if instead_of is not None:
                self._count(instead_of, -1)
            self._count(call, 1)
            self._find_breach()
        except Exception as error:  # the agent never breaks
            self._guard.caught("note", error)

    def note_usage(self, usage: OtherUsage) -> None:
        """Count the cost of other usage for the budgets."""
        self._tell(usage)
        if not self.policy.budgets or usage.cost is None:
            return
        try:
            with self._meters.lock:
                for budget in self.policy.budgets:
                    self._spending(budget).pay(self._worth(usage.cost, DOLLARS, budget))
            self._find_breach()
        except Exception as error:  # the agent never breaks
            self._guard.caught("note", error)

    def note_outcome(self, outcome: Outcome) -> None:
        """Pass an outcome on: it is in no budget."""
        self._tell(outcome)

    def _tell(self, event: RunEvent) -> None:
        if self.listener is not None:
            self.listener(event)

    def _count(self, call: LLMCall, times: int) -> None:
        known = sound(call)
        needs_price = call.chargeable and any(budget.needs_prices for budget in self.policy.budgets)
        priced = price_of(known, self.policy.prices) if needs_price else None
        with self._meters.lock:
            for budget in self.policy.budgets:
                spending = self._spending(budget)
                spending.add(known, times)
                if priced is not None:
                    cost = priced.amount
                    spending.pay(None if cost is None else self._worth(cost, priced.currency, budget), times)

    def _worth(self, amount: Decimal, currency: str, budget: Budget) -> Optional[Decimal]:
        """An amount in the currency of a budget; `None` where the policy has no rate for it."""
        wanted = budget.currency or (self.policy.prices.currency if self.policy.prices is not None else DOLLARS)
        day = datetime.now(self.policy.zone).date()
        return worth(amount, currency, wanted, self.policy.exchange_rate, day)

    def check(self) -> None:
        """Stop the agent where a budget asks for it.

        Raises:
            KeitoBudgetExceeded: Such a budget is used up.
        """
        breach = self._find_breach() if self.policy.budgets else None
        if breach is not None:
            # Imported here: with the SDK's errors comes httpx, which a run without a breach does not need.
            from keito.billing.exceeded import KeitoBudgetExceeded  # noqa: PLC0415

            raise KeitoBudgetExceeded(breach, self.run_id)

    def _find_breach(self) -> Optional[str]:
        """Say what is used up; answers the first limit that stops the agent."""
        with self._meters.lock:
            found = [(budget, budget.breach(self._spending(budget))) for budget in self.policy.budgets]
        breached = [(budget, limit) for budget, limit in found if limit is not None]
        if breached and "budget_exceeded" not in self.flags:
            self.flags.add("budget_exceeded")
            budget, limit = breached[0]
            _log.warning("Run %s has used up its budget per %s: %s", self.run_id, budget.per, limit)
        return next((limit for budget, limit in breached if budget.stop), None)

    def _spending(self, budget: Budget) -> Spending:
        if budget.per == "run":
            return self._own.setdefault(budget, Spending())
        return self._meters.spending(self.policy, budget)
