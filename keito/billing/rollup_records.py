"""The records of a rollup's window."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from decimal import Decimal, localcontext
from typing import Any, Optional

from keito.billing.charge import exact_text, posted
from keito.billing.cost import RunCost
from keito.billing.expenses import Expense, expenses_for, not_converted
from keito.billing.gap_rows import gap_rows
from keito.billing.metadata import cost_facts, fit, keito_facts, model_rows, model_totals, short
from keito.billing.notes import fill
from keito.billing.timesheet import Line, WorkDay, lines_for
from keito.billing.window import Window
from keito.metering.by_hand import EXACT
from keito.metering.text import readable
from keito.outbox import BillingRecord, RecordKind

Carry = MutableMapping[tuple[str, str, str], Decimal]
"""What rounding has left, by place, model and currency. Less than nothing where it was rounded up."""


def records_of(window: Window, name: str, carry: Carry) -> list[BillingRecord]:
    """The time entries and expenses of a window.

    Args:
        window: The window.
        name: Begins their keys.
        carry: What earlier windows have left; what this one leaves is written to it.
    """
    with localcontext(EXACT):
        return [*_times(window, name), *_expenses(window, name, carry)]


def _times(window: Window, name: str) -> Iterator[BillingRecord]:
    number = 0
    for billable in sorted(window.times, reverse=True):
        worked = WorkDay(window.key.day, window.nanoseconds[billable], 0)
        lines = lines_for([worked], window.policy.hours_rounding)
        for place, line in enumerate(lines):
            part = f"{place + 1} of {len(lines)}" if len(lines) > 1 else None
            yield _time_entry(window, f"{name}-time-{number}", line, part, billable=billable, number=number)
            number += 1
    if window.untimed and not number:
        line = Line(window.key.day, Decimal(0), 0)
        yield _time_entry(window, f"{name}-time-0", line, None, billable=False, number=0)


def _time_entry(
    window: Window, key: str, line: Line, part: Optional[str], *, billable: bool, number: int
) -> BillingRecord:
    """One time entry. What the runs used is in the first one only: otherwise sums would count it twice."""
    members = (*window.times.get(billable, ()), *(window.untimed if number == 0 else ()))
    used = window.used if number == 0 else None
    seconds = (Decimal(line.nanoseconds) / 10**9).quantize(Decimal("0.001"))
    # What is priced later is what is charged for: not the calls of runs whose expense the policy does not post.
    gaps = gap_rows(window.cost.gaps)
    whole: dict[str, Any] = {**cost_facts(used), "gaps": gaps, "flags": _flags(window)} if used is not None else {}
    facts = keito_facts(key, part=part, duration_s=seconds, rollup=_about(window, len(members)), **whole)
    body = {
        **_common(window),
        "task_id": window.policy.task_id,
        **_given(user_id=window.policy.user_id),
        "hours": line.hours,
        "notes": readable(_notes(window, len(window.times.get(billable, ())), completed=billable)),
        **_given(billable=window.policy.billable if billable else False),
        "metadata": fit({**_metadata(window, used), "keito": facts}),
    }
    # Each member is in one record only, also where the hours need several entries.
    is_first = part is None or part.startswith("1 ")
    return BillingRecord(key, RecordKind.TIME_ENTRY, body, members if is_first else ())


def _expenses(window: Window, name: str, carry: Carry) -> Iterator[BillingRecord]:
    policy = window.policy
    if policy.expense_category_id is None:
        return
    for number, expense in enumerate(expenses_for(window.cost, policy, window.key.day)):
        model = expense.cost.models[0].name if policy.expense_per == "model" and expense.cost.models else ""
        place = (window.key.place, model, expense.charge.currency)
        before = carry.pop(place, Decimal(0))
        total = _rounded(expense.charge.amount + before, policy.cost_decimals)
        after = expense.charge.amount + before - total
        if after:
            carry[place] = after
        members = tuple(window.expenses) if number == 0 else ()
        yield _expense(window, f"{name}-expense-{number}", expense, (total, before, after), members)


def _rounded(due: Decimal, decimals: int) -> Decimal:
    """What to post of what is due; nothing where earlier windows were rounded up by more than that."""
    return posted(due, decimals) if due > 0 else Decimal(0)


def _expense(
    window: Window, key: str, expense: Expense, amounts: tuple[Decimal, Decimal, Decimal], members: tuple[str, ...]
) -> BillingRecord:
    total, before, after = amounts
    carried = {"before": exact_text(before), "after": exact_text(after)} if before or after else None
    about = _about(window, len(window.expenses))
    facts = keito_facts(key, rollup=about, carried=carried, flags=_flags(window), **expense.facts())
    body = {
        **_common(window),
        **expense.body(window.policy, total),
        "metadata": fit({**_metadata(window, expense.used), "keito": facts}),
    }
    return BillingRecord(key, RecordKind.EXPENSE, body, members)


def _flags(window: Window) -> list[str]:
    """What the records of the runs would have said, and what only shows in their sum."""
    wants_expense = window.policy.post.expense and window.policy.expense_category_id is not None
    is_partial = wants_expense and not_converted(window.cost, window.policy, window.key.day)
    return sorted(window.flags | ({"no_exchange_rate"} if is_partial else set()))


def _about(window: Window, members: int) -> dict[str, Any]:
    """Which window it is, and how much is in it."""
    start = window.key.start.isoformat().replace("+00:00", "Z")
    return {"per": window.policy.rollup, "start": start, "records": members, "runs": dict(window.statuses)}


def _metadata(window: Window, cost: Optional[RunCost]) -> dict[str, Any]:
    # `keito.types` brings every model of the API along: loaded when something is billed, not with the handler.
    from keito.types.agent_metadata import AgentMetadata  # noqa: PLC0415

    metadata = AgentMetadata.build(agent_id=short(window.agent_id), **model_totals(cost))
    session = window.policy.session_id or f"rollup-{window.key.name}"
    return {**metadata, "session_id": short(session), **model_rows(cost)}


def _notes(window: Window, count: int, *, completed: bool) -> str:
    who = f" of {window.agent_id}" if window.agent_id else ""
    how = "" if completed else " that did not complete"
    when = f", {window.key.label}" if window.key.label else ""
    name = f"{count:,} run{'s' if count != 1 else ''}{who}{how}{when}"
    usage = window.used.usage
    fields = {
        "name": name,
        "agent": window.agent_id,
        "models": ", ".join(row.name for row in window.used.models),
        "calls": window.used.calls,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
    }
    return fill(window.policy.notes or "", fields) or name


def _common(window: Window) -> dict[str, Any]:
    day = window.key.day.isoformat()
    return {"project_id": window.policy.project_id, "spent_date": day, "source": "agent"}


def _given(**fields: Optional[object]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
