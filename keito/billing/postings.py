"""From ended runs to the delivery."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Optional

from keito import telemetry
from keito.billing.account import RunAccount
from keito.billing.alarm import Alarm
from keito.billing.attempts import Attempts
from keito.billing.cost import RunCost
from keito.billing.gaps import GapLog
from keito.billing.guard import Guard
from keito.billing.policy import BillingPolicy
from keito.billing.records import cost_of, outcome_records, records_with
from keito.billing.rollup import Rollup
from keito.billing.supplements import Supplements
from keito.metering import AgentRun
from keito.outbox import BillingRecord, Delivery

if TYPE_CHECKING:
    from keito.billing.bookkeeping import Bookkeeping

_HandOver = Callable[[Sequence[BillingRecord]], None]


class Postings:
    """Makes the records of ended runs, now or when their window or their supplement is over. It never raises.

    What a delivery raises that is made to raise is answered by `bill`, for those who bill by hand.

    Args:
        delivery: Gets the records to Keito.
        guard: Takes errors of keito's own code.
        late_grace: Seconds after the end of a run in which what comes late is collected.
        books: Where the delivery has a store: keeps that informed of runs and windows.
    """

    def __init__(
        self, delivery: Delivery, guard: Guard, late_grace: float, books: Optional[Bookkeeping] = None
    ) -> None:
        self.rollup = Rollup()
        self._books = books
        self.supplements = Supplements(late_grace)
        self._delivery = delivery
        self._guard = guard
        self._gaps = GapLog()
        self._attempts = Attempts(guard)
        self._unbilled = 0
        self._lock = threading.Lock()
        self._alarm = Alarm(_weakly(self._send_due))

    @property
    def lost(self) -> int:
        """Runs and windows of which no records could be made, and parts of runs."""
        return self._unbilled + self.rollup.unbilled + self._attempts.failed

    def begin(self, run: AgentRun) -> None:
        """A root run, or a supplement, starts."""
        if self._books is not None:
            self._books.begin(run)

    def bill(self, run: AgentRun, policy: BillingPolicy) -> Optional[Exception]:
        """Hand the records of an ended run to the delivery; answers by what that failed, where it raises."""
        return self._bill(run, policy, self._delivery.deliver)

    def bill_late(self, run_id: str) -> None:
        """Bill at once what has come after the end of a run: the run is to be replaced, and that with it."""
        self._bill_late(self.supplements.take(run_id), self._delivery.accept)

    def expect(self) -> None:
        """Wake up when something is due."""
        windows = self.rollup.next_end if self._books is None else self._books.next_end
        ends = (windows, self.supplements.next_end)
        self._alarm.set(min((end for end in ends if end is not None), default=None))

    def close(self, *, for_good: bool = False) -> None:
        """Leave everything that is open to the next flush of the delivery.

        Args:
            for_good: Take nothing late any more. Windows that a store keeps are left to whoever comes after their end.
        """
        self._hand_over_all(self._delivery.accept, for_good=for_good)

    def end(self) -> None:
        """Send everything that is open: the program ends without having closed its billing."""
        self._hand_over_all(self._delivery.deliver, for_good=True)

    def _bill(self, run: AgentRun, policy: BillingPolicy, hand_over: _HandOver) -> Optional[Exception]:
        failed: Optional[Exception] = None
        try:
            cost = self._cost_of(run, policy)
            self._gaps.say(cost, policy, has_entry=policy.post_after(run.status).time)
            telemetry.run_billed(run, policy.project_id, cost)
            is_alone = policy.rollup is None
            records = self._records_of(run, policy, cost)
            if self._books is not None:
                self._books.end(run, policy, cost, records, self._attempts)
            else:
                rolled_up = [] if is_alone else self._attempts(self.rollup.add, run, policy, cost)
                failed = self._give(hand_over, [*records, *rolled_up])
            if not is_alone:
                self.expect()
        except Exception as error:  # the agent never breaks
            with self._lock:
                self._unbilled += 1
            self._guard.caught("bill", error)
        return failed

    def _cost_of(self, run: AgentRun, policy: BillingPolicy) -> RunCost:
        """What a run cost. Where nobody can tell, its time and its outcomes are billed all the same."""
        found = self._attempts(lambda: [cost_of(run, policy)])
        if not found and isinstance(run.ledger, RunAccount):
            run.ledger.flags.add("cost_unknown")
        return found[0] if found else RunCost()

    def _records_of(self, run: AgentRun, policy: BillingPolicy, cost: RunCost) -> list[BillingRecord]:
        """What is posted for a run by itself."""
        if policy.rollup is None:
            return records_with(run, policy, cost, self._attempts)
        return list(outcome_records(run, policy, self._attempts))

    def _bill_late(self, runs: Sequence[AgentRun], hand_over: _HandOver) -> None:
        for run in runs:
            if isinstance(run.ledger, RunAccount):
                self._bill(run, run.ledger.policy, hand_over)

    def _send_due(self) -> None:
        try:
            self._bill_late(self.supplements.take_due(), self._delivery.deliver)
            if self._books is not None:
                self._books.close_due()
            self._give(self._delivery.deliver, self.rollup.due())
            self.expect()
        except Exception as error:  # nobody waits for this thread
            self._guard.caught("rollup", error)

    def _hand_over_all(self, hand_over: _HandOver, *, for_good: bool) -> None:
        try:
            self._bill_late(self.supplements.take_all(for_good=for_good), hand_over)
            self._alarm.set(None)  # what went into a window has set it
            if self._books is not None and not for_good:
                self._books.close_all()
            self._give(hand_over, self.rollup.close_windows())
        except Exception as error:  # the agent never breaks
            self._guard.caught("rollup", error)

    def _give(self, hand_over: _HandOver, records: Sequence[BillingRecord]) -> Optional[Exception]:
        try:
            if records:
                hand_over(records)
        except Exception as error:
            if not getattr(self._delivery, "raises", False):
                raise
            return error  # the delivery has said it, and keeps the records
        return None


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    """`method`, without keeping its object alive."""
    weak = weakref.WeakMethod(method)

    def call() -> None:
        found = weak()
        if found is not None:
            found()

    return call
