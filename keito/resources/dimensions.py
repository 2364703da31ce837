"""What sums over time entries can be divided by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from typing_extensions import get_args

from keito.core.errors import refused
from keito.resources.agent_tally import outcome_of
from keito.resources.places import Places
from keito.types.common import IdName
from keito.types.report import Dimension
from keito.types.time_entry import TimeEntry

Value = tuple[Optional[str], Optional[str]]
"""An id, or whatever else an entry has in a dimension, and its name if it has one of its own."""


def chosen(given: Dimension | Sequence[Dimension]) -> tuple[Dimension, ...]:
    """The dimensions that a caller asks for, each once.

    Raises:
        KeitoValidationError: There is no such dimension.
    """
    names: Sequence[Any] = given if isinstance(given, (list, tuple)) else [given]
    for name in names:
        if name not in get_args(Dimension):
            raise refused("group_by", name, f"must be one or several of {', '.join(get_args(Dimension))}")
    return tuple(dict.fromkeys(names))


def value_of(entry: TimeEntry, dimension: Dimension, places: Places) -> Value:
    """What an entry has in a dimension."""
    return _VALUES[dimension](entry, places)


def agent_of(metadata: Mapping[str, Any] | None) -> str | None:
    """The agent's id, in each of the forms in which programs write it."""
    given = metadata or {}
    nested = given.get("agent")
    found = nested.get("id") if isinstance(nested, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    ids = (found, given.get("agent_id"), given.get("agentId"))  # pyright: ignore[reportUnknownVariableType]
    return next((id for id in ids if isinstance(id, str) and id), None)  # pyright: ignore[reportUnknownVariableType]


def _named(id: str | None, named: IdName | None) -> Value:
    return (id or (named.id if named else None), (named.name if named else None) or None)


def _week(entry: TimeEntry) -> str | None:
    if entry.spent_date is None:
        return None
    year, week, _ = entry.spent_date.isocalendar()
    return f"{year:04}-W{week:02}"


def _day(entry: TimeEntry) -> str:
    return "" if entry.spent_date is None else entry.spent_date.isoformat()


def _outcome_type(entry: TimeEntry) -> str | None:
    outcome = outcome_of(entry)
    return None if outcome is None else str(outcome["outcome_type"])


_VALUES: dict[Dimension, Callable[[TimeEntry, Places], Value]] = {
    "client": lambda entry, places: _named(None, places.client(entry.project_id)),
    "project": lambda entry, _: _named(entry.project_id, entry.project),
    "task": lambda entry, _: _named(entry.task_id, entry.task),
    "user": lambda entry, _: _named(entry.user_id, entry.user),
    "agent": lambda entry, _: (agent_of(entry.metadata), None),
    "outcome_type": lambda entry, _: (_outcome_type(entry), None),
    "currency": lambda entry, places: (places.currency(entry.project_id), None),
    "day": lambda entry, _: (_day(entry) or None, None),
    "week": lambda entry, _: (_week(entry), None),
    "month": lambda entry, _: (_day(entry)[:7] or None, None),
}
