"""Whether something was billed twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Optional, Union

from keito.cli.checks.finding import Finding, ok, problem

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.types.expense import Expense
    from keito.types.time_entry import TimeEntry

_MOST_SHOWN = 20


def check_duplicates(client: Keito, days: int) -> Iterator[Finding]:
    """List what agents billed in the last days, and look for keys that are there twice.

    Args:
        client: Whom to ask.
        days: How far back.
    """
    today = date.today()  # noqa: DTZ011
    # A day more at the end: the workspace's days need not be this machine's.
    since, until = today - timedelta(days=days), today + timedelta(days=1)
    entries = client.time_entries.list(source="agent", per_page=2000, prefetch=2, from_date=since, to_date=until)
    expenses = client.expenses.list(source="agent", per_page=2000, prefetch=2, from_date=since, to_date=until)
    ids = {**_ids_by_key("time entry", entries), **_ids_by_key("expense", expenses)}
    twice = {key: found for key, found in ids.items() if len(found) > 1}
    if not twice:
        yield ok("duplicates", f"none in the {len(ids):,} records of agents since {since}")
    for (kind, key), found in list(twice.items())[:_MOST_SHOWN]:
        yield duplicate(kind, key, found)
    if len(twice) > _MOST_SHOWN:
        yield problem("duplicates", f"{len(twice) - _MOST_SHOWN:,} more keys are there twice")


def duplicate(kind: str, key: str, ids: Iterable[str]) -> Finding:
    """Something that is on Keito more than once."""
    first, *others = sorted(ids)
    text = f"{kind} {key} is on Keito {len(others) + 1} times: {', '.join([first, *others])}"
    return problem("duplicates", text, "delete all but one of them in Keito; keito never deletes by itself")


def _ids_by_key(kind: str, records: Iterable[Union[TimeEntry, Expense]]) -> Mapping[tuple[str, str], set[str]]:
    ids: dict[tuple[str, str], set[str]] = {}
    for record in records:
        key = _key_of(record.metadata)
        if key is not None:
            ids.setdefault((kind, key), set()).add(record.id)
    return ids


def _key_of(metadata: Optional[Mapping[str, Any]]) -> Optional[str]:
    keito: Any = (metadata or {}).get("keito")
    key: Any = keito.get("key") if isinstance(keito, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return key if isinstance(key, str) else None
