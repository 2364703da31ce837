"""What one run adds to the windows of a rollup."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from keito.billing.cost import RunCost
from keito.billing.plain import cost_of_text, cost_text, policy_of, policy_text
from keito.billing.policy import BillingPolicy
from keito.billing.records import flags_of, needs_entry
from keito.billing.timesheet import work_days
from keito.billing.window import Window, WindowKey, window_of
from keito.metering import AgentRun
from keito.metering.codec import Codec
from keito.metering.stopwatch import epoch_ns
from keito.outbox.stored import WindowShare

_KEYS = Codec(WindowKey)


@dataclass
class Share:
    """What one run adds to one window.

    Attributes:
        window: Which one.
        run_id: The run.
        agent_id: Who worked.
        policy: What it is billed by.
        times: Its time entries that fall into the window: key, nanoseconds, and whether they may be billable.
        untimed: The key of a time entry of 0 hours that only tells what a supplement used.
        status: How the run ended, if it ended in this window; `None` for a supplement.
        flags: What its records would have said.
        used: What it used, likewise.
        expense: The key of its expense, if it is charged for that.
    """

    window: WindowKey
    run_id: str
    agent_id: Optional[str]
    policy: BillingPolicy
    times: list[tuple[str, int, bool]] = field(default_factory=list[tuple[str, int, bool]])
    untimed: Optional[str] = None
    status: Optional[str] = None
    flags: list[str] = field(default_factory=list[str])
    used: Optional[RunCost] = None
    expense: Optional[str] = None

    def add_to(self, window: Window) -> None:
        """Add it to its window."""
        for key, nanoseconds, billable in self.times:
            window.add_time(key, nanoseconds, billable=billable)
        if self.untimed is not None:
            window.untimed.append(self.untimed)
        if self.used is not None:
            window.add_run(self.status, self.flags, self.used)
            if self.expense is not None:
                window.add_cost(self.expense, self.used)

    def stored(self) -> WindowShare:
        """As a store keeps it."""
        # What the records of a window do not depend on need not be kept: a table of prices is long.
        policy = replace(self.policy, prices=None, budget=None, outcome=None)
        body = {
            "window": _KEYS.write(self.window),
            "run": self.run_id,
            "agent": self.agent_id,
            "policy": policy_text(policy, self.window.day),
            "times": self.times,
            "untimed": self.untimed,
            "status": self.status,
            "flags": self.flags,
            "used": None if self.used is None else cost_text(self.used),
            "expense": self.expense,
        }
        ends_at = epoch_ns(self.window.end) / 10**9
        return WindowShare(f"{self.run_id}@{self.window.name}", self.window.name, ends_at, json.dumps(body))

    @classmethod
    def read(cls, text: str) -> Share:
        """The share that a body describes.

        Raises:
            ValueError: It describes none.
            TypeError: A newer keito has written it.
        """
        body: dict[str, Any] = json.loads(text)
        return cls(
            _KEYS.read(body["window"]),
            body["run"],
            body["agent"],
            policy_of(body["policy"]),
            [(key, nanoseconds, billable) for key, nanoseconds, billable in body["times"]],
            body["untimed"],
            body["status"],
            body["flags"],
            None if body["used"] is None else cost_of_text(body["used"]),
            body["expense"],
        )


def shares_of(run: AgentRun, policy: BillingPolicy, cost: RunCost) -> list[Share]:
    """What an ended run adds to windows: each day's time to that of its day, and the rest to that in which it ended."""
    post, shares = policy.post_after(run.status), dict[WindowKey, Share]()

    def share(at_ns: int) -> Share:
        key = window_of(policy, run.agent_id, at_ns, policy.zone or run.started_at.tzinfo)
        return shares.setdefault(key, Share(key, run.uid, run.agent_id, policy))

    # What takes no time at midnight belongs to the day that begins.
    last = share(epoch_ns(run.started_at) + max(1, run.elapsed_ns))
    last.flags, last.used = flags_of(run, policy, cost), cost
    last.expense = f"{run.uid}-expense-0" if post.expense else None
    if run.supplement_to is not None:
        last.untimed = f"{run.uid}-time-0" if needs_entry(run, policy, cost) else None
        return list(shares.values())
    last.status = run.status.value
    if post.time:
        for number, day in enumerate(work_days(run, policy.zone)):
            share(day.ended_ns).times.append((f"{run.uid}-time-{number}", day.nanoseconds, post.billable))
    return list(shares.values())
