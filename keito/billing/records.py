"""From a finished run to what is posted: a pure function."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any, Optional

from keito.billing.cost import RunCost, cost_of
from keito.billing.metadata import cost_facts, fit, keito_facts, outcome_fields, rate_row, readable, run_metadata
from keito.billing.policy import BillingPolicy
from keito.metering import AgentRun, Outcome, RunStatus
from keito.outbox import BillingRecord, RecordKind

_STEP = Decimal("0.000001")
"""Hours are posted to a millionth (3.6 ms), and costs to a millionth of a dollar; the exact cost is metadata."""

_EXACT = Context(prec=40)
"""Not the caller's decimal context, which may round to a few digits."""

_HOUR_NS = Decimal(3_600_000_000_000)


def records_for(run: AgentRun, policy: BillingPolicy) -> list[BillingRecord]:
    """What is posted for a run: a time entry, its outcomes, and an expense for its model calls.

    The same run gives the same records, key for key. All stand on the day when the run began. A run that failed
    or was cancelled gives a time entry that is not billable, and its expense, but no outcomes. There is no expense
    without a category, nor for model calls of which none has a price: the time entry's metadata then has the
    tokens, the cost as far as it is known, and flags that say what is missing.

    Raises:
        ValueError: The run has not ended.
    """
    if run.status is RunStatus.OPEN:
        raise ValueError(f"run {run.uid} has not ended")
    with localcontext(_EXACT):
        cost = cost_of(run.calls)
        outcomes = run.outcomes if run.status.is_billable else ()
        expense = _expense(run, policy, cost)
        return [
            _time_entry(run, policy, cost),
            *(_outcome(run, policy, outcome, number) for number, outcome in enumerate(outcomes)),
            *([expense] if expense is not None else []),
        ]


def _time_entry(run: AgentRun, policy: BillingPolicy, cost: RunCost) -> BillingRecord:
    key = _key(run, "time", 0)
    seconds = (Decimal(run.duration_ns) / 10**9).quantize(Decimal("0.001"))
    facts = keito_facts(key, run, flags=_flags(run, policy, cost), duration_s=seconds, **cost_facts(cost))
    body = {
        **_work(run, policy),
        "hours": posted(run.duration_ns / _HOUR_NS),
        "notes": readable(run.notes or run.name or "Agent run"),
        **_given(billable=policy.billable if run.status.is_billable else False),
        "metadata": fit({**run_metadata(run, cost), "keito": facts}),
    }
    return BillingRecord(key, RecordKind.TIME_ENTRY, body)


def _outcome(run: AgentRun, policy: BillingPolicy, outcome: Outcome, number: int) -> BillingRecord:
    """Keito has no endpoint for outcomes: they are time entries of 0 hours whose metadata has `outcome_type`."""
    key = _key(run, "outcome", number)
    metadata = {**run_metadata(run), **outcome_fields(outcome), "keito": keito_facts(key, run)}
    body = {
        **_work(run, policy),
        "hours": Decimal(0),
        "notes": readable(outcome.description or outcome.type),
        "billable": policy.billable is not False,
        "metadata": fit(metadata),
    }
    return BillingRecord(key, RecordKind.OUTCOME, body)


def _expense(run: AgentRun, policy: BillingPolicy, cost: RunCost) -> Optional[BillingRecord]:
    if not cost.amount or policy.expense_category_id is None:
        return None
    key = _key(run, "expense", 0)
    pricing = [rate_row(row) for row in cost.rates]
    facts = keito_facts(key, run, flags=_flags(run, policy, cost), **cost_facts(cost), pricing=pricing)
    body = {
        **_common(run, policy),
        "expense_category_id": policy.expense_category_id,
        "total_cost": posted(cost.amount),
        "notes": readable(_expense_notes(cost)),
        **_given(billable=policy.billable),
        "metadata": fit({**run_metadata(run, cost), "keito": facts}),
    }
    return BillingRecord(key, RecordKind.EXPENSE, body)


def posted(amount: Decimal) -> Decimal:
    """`amount` to 6 decimals, half up; what is more than nothing never becomes 0."""
    rounded = amount.quantize(_STEP, ROUND_HALF_UP)
    return _STEP if not rounded and amount > 0 else rounded


def _key(run: AgentRun, kind: str, number: int) -> str:
    return f"{run.uid}-{kind}-{number}"


def _work(run: AgentRun, policy: BillingPolicy) -> dict[str, Any]:
    return {**_common(run, policy), "task_id": policy.task_id, **_given(user_id=policy.user_id)}


def _common(run: AgentRun, policy: BillingPolicy) -> dict[str, Any]:
    # Without a zone in the policy it is the one in which the run's own clock ran.
    began = run.started_at if policy.zone is None else run.started_at.astimezone(policy.zone)
    return {"project_id": policy.project_id, "spent_date": began.date().isoformat(), "source": "agent"}


def _given(**fields: object) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _flags(run: AgentRun, policy: BillingPolicy, cost: RunCost) -> list[str]:
    raised = {
        "unpriced": not cost.complete,
        "no_expense_category": bool(cost.amount) and policy.expense_category_id is None,
        "outcomes_not_billed": bool(run.outcomes) and not run.status.is_billable,
    }
    return [flag for flag, is_raised in raised.items() if is_raised]


def _expense_notes(cost: RunCost) -> str:
    """As the documentation writes it: "claude-opus-4-6: 30k input + 15k output tokens"."""
    usage, others = cost.usage, len(cost.models) - 1
    names = cost.models[0].name + (f" and {others} more" if others else "")
    return f"{names}: {usage.input_tokens:,} input + {usage.output_tokens:,} output tokens"
