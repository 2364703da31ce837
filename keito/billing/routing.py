"""Which policy bills a run, and which outcomes that policy finds in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable, Optional

from keito.billing.account import RunAccount
from keito.billing.guard import Guard
from keito.billing.policy import BillingPolicy
from keito.metering import AgentRun, Outcome

Resolve = Callable[[AgentRun], Optional[BillingPolicy]]
"""From a run that starts to the policy that it is billed by."""


def route(run: AgentRun, account: RunAccount, resolve: Optional[Resolve], house: BillingPolicy, guard: Guard) -> None:
    """Choose the policy of a run that starts.

    Args:
        run: The run.
        account: Its ledger, which keeps the policy.
        resolve: The user's choice, if there is one.
        house: What the run is billed by where that chooses nothing, or fails.
        guard: Takes its errors.
    """
    try:
        chosen = resolve(run) if resolve is not None else None
        policy = (chosen or house).routed(run)
    except Exception as error:  # the user's function; the agent never breaks
        guard.caught("resolve", error)
        account.flags.add("not_routed")
        policy = house.routed(run)
    account.policy = policy
    run.agent_id = policy.agent_id
    if run.session_id == run.uid:  # the run names no session
        run.session_id = policy.session_id or run.uid


def outcomes_of(run: AgentRun, policy: BillingPolicy, around: Optional[BillingPolicy]) -> Iterable[Outcome]:
    """What a completed run has achieved, by its policy.

    Args:
        run: The run.
        policy: What it is billed by.
        around: The same for the run around it, if it is billed by itself inside another one.

    Raises:
        TypeError: The policy's function answers a text.
    """
    wanted = policy.outcome
    if isinstance(wanted, Outcome) and around is not None and around.outcome is wanted:
        return ()  # what is achieved once is billed once: with the run around
    found: Any = wanted(run, run.result) if callable(wanted) else wanted
    if isinstance(found, str):  # its letters are no outcomes
        raise TypeError(f"the policy's outcome is an Outcome, several, or None; got {found!r}")
    return () if found is None else (found,) if isinstance(found, Outcome) else found
