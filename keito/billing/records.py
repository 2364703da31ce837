"""From a finished run to what is posted: a pure function."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal, localcontext
from typing import Any, Optional

from keito.billing.account import RunAccount
from keito.billing.attempts import Attempts
from keito.billing.cost import RunCost
from keito.billing.expenses import Expense, expenses_for, not_converted
from keito.billing.metadata import cost_facts, fit, keito_facts, outcome_fields, run_metadata
from keito.billing.notes import fill
from keito.billing.policy import BillingPolicy
from keito.billing.pricing import add_call
from keito.billing.timesheet import Line, lines_for, work_days
from keito.metering import AgentRun, Outcome, RunStatus
from keito.metering.by_hand import EXACT
from keito.metering.events import CALLS_KEPT
from keito.metering.text import readable
from keito.outbox import BillingRecord, RecordKind

_ALL_OR_NONE = Attempts()


def records_for(run: AgentRun, policy: BillingPolicy) -> list[BillingRecord]:
    """What is posted for a run by itself: its time, its outcomes, and what its model calls cost.

    The same run gives the same records, byte for byte. Time entries are divided at midnight of the policy's time
    zone and have at most 24 hours; outcomes and expenses stand on the day when the run began. What a run gives that
    did not complete is what the policy says. A supplement has no time; where no expense tells all that it used, a time
    entry of 0 hours does. There is no expense without a category, nor for model calls of which
    none has a price: the metadata then has the tokens, the cost as far as it is known, and flags that say what is
    missing. A project or task that the run names itself wins over the policy's.

    Args:
        run: A root run that has ended.
        policy: What it is billed by. Its `rollup` makes no difference here.

    Raises:
        ValueError: The run has not ended; or it has more than 1,024 calls, and the policy has other prices than the one
            that it ran under, by which the calls after those were priced at once.
    """
    policy = policy.routed(run)
    return records_with(run, policy, cost_of(run, policy))


def records_with(
    run: AgentRun, policy: BillingPolicy, cost: RunCost, attempt: Attempts = _ALL_OR_NONE
) -> list[BillingRecord]:
    """The same, for a run whose cost is known and a policy that is routed.

    Args:
        run: The run.
        policy: What it is billed by.
        cost: What it used.
        attempt: Makes each record; by default what one of them raises is raised.

    Raises:
        ValueError: The run has not ended.
    """
    if run.status is RunStatus.OPEN:
        raise ValueError(f"run {run.uid} has not ended")
    with localcontext(EXACT):
        return list(_records(run, policy, cost, attempt))


def cost_of(run: AgentRun, policy: BillingPolicy) -> RunCost:
    """What the calls of a run cost. Each call is priced by itself; those that its ledger has taken over already are."""
    cost = RunCost()
    for call in run.calls:
        add_call(cost, call, policy)
    if isinstance(run.ledger, RunAccount):
        _check_prices(run.ledger, policy)
        cost.merge(run.ledger.cost)
    cost.add_other(run.other_usage)
    return cost


def _check_prices(account: RunAccount, policy: BillingPolicy) -> None:
    """Refuse to mix prices: what is added up already was priced by the prices of the run's own policy."""
    if account.cost.calls and policy.prices != account.policy.prices:
        raise ValueError(
            f"run {account.run_id} has more than {CALLS_KEPT} calls, of which {account.cost.calls:,} were priced when "
            "they were made: records of it can only be made with the prices of the policy that it ran under"
        )


def flags_of(run: AgentRun, policy: BillingPolicy, cost: RunCost) -> list[str]:
    """What is missing in the records of a run, or should be known of it."""
    post = policy.post_after(run.status)
    wants_expense = policy.post.expense and any(cost.amounts.values())
    raised = {
        "unpriced": not cost.complete,
        "no_expense_category": wants_expense and policy.expense_category_id is None,
        "no_exchange_rate": wants_expense and not_converted(cost, policy, first_day(run, policy)),
        "outcomes_not_billed": bool(run.outcomes) and not post.outcomes,
        "supplement": run.supplement_to is not None,
    }
    known: set[str] = run.ledger.flags if isinstance(run.ledger, RunAccount) else set()
    return [*(flag for flag, is_raised in raised.items() if is_raised), *sorted(known)]


def first_day(run: AgentRun, policy: BillingPolicy) -> date:
    """The day on which the run began."""
    # Without a zone in the policy it is the one in which the run's own clock ran.
    return (run.started_at if policy.zone is None else run.started_at.astimezone(policy.zone)).date()


def outcome_records(run: AgentRun, policy: BillingPolicy, attempt: Attempts = _ALL_OR_NONE) -> Iterator[BillingRecord]:
    """The outcomes of a run, if it may bill them."""
    if policy.bills_outcomes(run):
        for number, outcome in enumerate(run.outcomes):
            yield from attempt(_outcome, run, policy, outcome, number)


def needs_entry(run: AgentRun, policy: BillingPolicy, cost: RunCost) -> bool:
    """Whether a supplement needs a time entry of 0 hours, because no expense tells all that it used."""
    post = policy.post_after(run.status)
    if not post.time or not (cost.calls or cost.other):
        return False
    may_expense = post.expense and policy.expense_category_id is not None
    return not (may_expense and cost.complete and expenses_for(cost, policy, first_day(run, policy)))


def _records(run: AgentRun, policy: BillingPolicy, cost: RunCost, attempt: Attempts) -> Iterator[BillingRecord]:
    post = policy.post_after(run.status)
    lines = attempt(_lines, run, policy, cost) if post.time else []
    for number, line in enumerate(lines):
        yield from attempt(_time_entry, run, policy, cost, line, number, len(lines))
    yield from outcome_records(run, policy, attempt)
    if post.expense and policy.expense_category_id is not None:
        for number, expense in enumerate(attempt(expenses_for, cost, policy, first_day(run, policy))):
            yield from attempt(_expense, run, policy, cost, expense, number)


def _lines(run: AgentRun, policy: BillingPolicy, cost: RunCost) -> list[Line]:
    if run.supplement_to is None:
        return lines_for(work_days(run, policy.zone), policy.hours_rounding)
    return [Line(first_day(run, policy), Decimal(0), 0)] if needs_entry(run, policy, cost) else []


def _time_entry(
    run: AgentRun, policy: BillingPolicy, cost: RunCost, line: Line, number: int, count: int
) -> Iterator[BillingRecord]:
    """One of the time entries of a run. What it used is in the first one only: otherwise sums would count it twice."""
    key = f"{run.uid}-time-{number}"
    seconds = (Decimal(line.nanoseconds) / 10**9).quantize(Decimal("0.001"))
    part = f"{number + 1} of {count}" if count > 1 else None
    about = {"flags": flags_of(run, policy, cost), **cost_facts(cost), "details": dict(run.details)}
    whole = about if number == 0 else {}
    facts = keito_facts(key, run.status.value, part=part, duration_s=seconds, **whole)
    is_work = run.supplement_to is None and policy.post_after(run.status).billable
    body = {
        **_work(policy, line.day),
        "hours": line.hours,
        "notes": readable(notes_of(run, policy, cost)),
        **_given(billable=policy.billable if is_work else False),
        "metadata": fit({**run_metadata(run, cost if number == 0 else None), "keito": facts}),
    }
    yield BillingRecord(key, RecordKind.TIME_ENTRY, body)


def notes_of(run: AgentRun, policy: BillingPolicy, cost: RunCost) -> str:
    """What the time entry of a run says: the notes set in the run, else the policy's template, else the name."""
    usage = cost.usage
    fields = {
        **run.attributes,
        "name": run.name,
        "agent": run.agent_id,
        "session": run.session_id,
        "trigger": run.trigger,
        "status": run.status.value,
        "models": ", ".join(row.name for row in cost.models),
        "calls": cost.calls,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "outcomes": len(run.outcomes),
    }
    template = fill(policy.notes, fields) if policy.notes and not run.notes else ""
    return run.notes or template or run.name or "Agent run"


def _outcome(run: AgentRun, policy: BillingPolicy, outcome: Outcome, number: int) -> Iterator[BillingRecord]:
    """Keito has no endpoint for outcomes: they are time entries of 0 hours whose metadata has `outcome_type`."""
    key = f"{run.uid}-outcome-{number}"
    flags = None if run.supplement_to is None else ["supplement"]
    facts = keito_facts(key, run.status.value, flags=flags, rollup=policy.rollup)
    metadata = {**run_metadata(run), **outcome_fields(outcome), "keito": facts}
    body = {
        **_work(policy, first_day(run, policy)),
        "hours": Decimal(0),
        "notes": readable(outcome.description or outcome.type),
        "billable": policy.billable is not False,
        "metadata": fit(metadata),
    }
    yield BillingRecord(key, RecordKind.OUTCOME, body)


def _expense(
    run: AgentRun, policy: BillingPolicy, cost: RunCost, expense: Expense, number: int
) -> Iterator[BillingRecord]:
    key = f"{run.uid}-expense-{number}"
    facts = keito_facts(key, run.status.value, flags=flags_of(run, policy, cost), **expense.facts())
    body = {
        **_common(policy, first_day(run, policy)),
        **expense.body(policy),
        "metadata": fit({**run_metadata(run, expense.used), "keito": facts}),
    }
    yield BillingRecord(key, RecordKind.EXPENSE, body)


def _work(policy: BillingPolicy, day: date) -> dict[str, Any]:
    return {**_common(policy, day), "task_id": policy.task_id, **_given(user_id=policy.user_id)}


def _common(policy: BillingPolicy, day: date) -> dict[str, Any]:
    return {"project_id": policy.project_id, "spent_date": day.isoformat(), "source": "agent"}


def _given(**fields: Optional[object]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
