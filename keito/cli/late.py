"""Time entries whose calls had no price, and the expenses that they lack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from keito.billing.corrections import earlier_keys
from keito.billing.late_expense import Unbilled, late_expenses, late_key
from keito.billing.policy import BillingPolicy
from keito.cli.records import GAPS, body_of, facts_of, walk
from keito.cli.screen import fail, print_table, say
from keito.outbox.record import BillingRecord, RecordKind
from keito.outbox.stored import RecordState, StoredRecord

if TYPE_CHECKING:
    from keito.outbox.store import Store


@dataclass(frozen=True)
class Found:
    """A time entry with calls that had no price.

    Attributes:
        entry: The time entry.
        expenses: What is missing, one in each currency.
        obstacle: Why it is not to be posted now. Where there is neither, the calls cost nothing.
    """

    entry: StoredRecord
    expenses: Sequence[BillingRecord] = ()
    obstacle: Optional[Unbilled] = None


def look(store: Store, fields: Mapping[str, Any], project: Optional[str]) -> Iterator[Found]:
    """The delivered time entries whose missing expense is not in the store yet.

    One that is not delivered is left for another time: its expense would outlive it in the store, and with it the
    knowledge that there is one.
    """
    for entry in walk(store, [RecordState.DELIVERED]):
        if entry.kind is not RecordKind.TIME_ENTRY or GAPS not in entry.body:
            continue
        body = body_of(entry)
        if (project or entry.project_id) == entry.project_id and not _is_done(store, entry.key, facts_of(body)):
            late = late_expenses(entry.key, body, _policy(fields, body))
            yield Found(entry, (), late) if isinstance(late, Unbilled) else Found(entry, late)


def _is_done(store: Store, key: str, facts: Mapping[str, Any]) -> bool:
    """Whether the expense is there, also that of an entry which this one replaces; or the entry is void."""
    keys = [late_key(key), f"{key}-void", *(late_key(earlier) for earlier in earlier_keys(facts.get("replaces")))]
    return any(store.find(key=one) for one in keys)


def _policy(fields: Mapping[str, Any], body: Mapping[str, Any]) -> BillingPolicy:
    """The policy that is set, for the project and task of an entry."""
    ids = {"project_id": body["project_id"], "task_id": body["task_id"]}
    try:
        return BillingPolicy(**{**fields, **ids})
    except (TypeError, ValueError) as error:
        raise fail(str(error)) from None


def keep(store: Store, found: Iterable[Found]) -> None:
    """Store the expenses for whoever the time entries were for. One that the store has stays as it is."""
    for one in found:
        if one.expenses:
            store.add(one.expenses, one.entry.destination, run_id=one.entry.run_id)


def expenses_json(found: Iterable[Found]) -> list[dict[str, Any]]:
    """The expenses, for programs."""
    return [_expense_json(expense) for one in found for expense in one.expenses]


def _expense_json(expense: BillingRecord) -> dict[str, Any]:
    facts = facts_of(expense.body)
    return {
        "key": expense.key,
        "corrects": facts["corrects"],
        "project_id": expense.body["project_id"],
        "spent_date": expense.body["spent_date"],
        "total_cost": float(expense.body["total_cost"]),
        "currency": facts.get("currency", "USD"),
        "notes": expense.body["notes"],
    }


def waiting_json(found: Iterable[Found]) -> list[dict[str, Any]]:
    """The time entries that wait, for programs."""
    return [
        {"key": one.entry.key, "reason": one.obstacle.reason, "models": [*one.obstacle.models]}
        for one in found
        if one.obstacle is not None
    ]


def print_all(expenses: Sequence[Found], waiting: Sequence[Found], *, dry_run: bool) -> None:
    """Both, for people."""
    rows = [[*row.values()][1:] for row in expenses_json(expenses)]
    if rows:
        print_table(("Corrects", "Project", "Day", "Cost", "Currency", "Notes"), rows)
    posted = "; a relay, an agent or outbox flush posts them" if rows else ""
    what = "would be stored; nothing was" if dry_run else f"stored{posted}"
    say(f"{len(rows):,} {'expense' if len(rows) == 1 else 'expenses'} {what}.")
    if waiting:
        say(f"{len(waiting):,} {'time entry still waits' if len(waiting) == 1 else 'time entries still wait'}:")
        reasons = Counter(one["reason"] for one in waiting_json(waiting))
        print_table(("Entries", "Reason"), [(count, reason) for reason, count in reasons.most_common()])
        say("Name the models in your own prices (--table FILE), or: pip install --upgrade genai-prices")
