"""The summary of what agents did, put together from the pages of time entries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Optional

from keito.core.page import Page
from keito.resources.agent_tally import AgentTally
from keito.resources.dimensions import agent_of, value_of
from keito.resources.places import Places
from keito.types.report import AgentSummary, AgentSummaryGroup, Dimension
from keito.types.time_entry import TimeEntry

Key = tuple[Optional[str], ...]


class AgentReport:
    """Takes the pages one by one and keeps sums only, so that any number of entries fits into memory.

    Args:
        period: First and last day.
        group_by: What to divide the sums by.
        agent_id: The only agent to count; the API cannot filter by it.
        places: Where entries belong.
    """

    def __init__(
        self, period: tuple[date, date], group_by: Sequence[Dimension], agent_id: str | None, places: Places
    ) -> None:
        self._period = period
        self._group_by = group_by
        self._agent_id = agent_id
        self._places = places
        self._watch = _Watch()
        self._entries = 0
        self._tally = AgentTally()
        self._groups: dict[Key, AgentTally] = {}
        self._names: dict[tuple[str, str | None], str] = {}

    def take(self, page: Page[TimeEntry]) -> None:
        """Count the entries of a page."""
        for entry in self._watch.new_of(page):
            if self._agent_id is None or agent_of(entry.metadata) == self._agent_id:
                self._add(entry)

    def _add(self, entry: TimeEntry) -> None:
        self._entries += 1
        currency = self._places.currency(entry.project_id)
        self._tally.add(entry, currency)
        if self._group_by:
            self._groups.setdefault(self._key(entry), AgentTally()).add(entry, currency)

    def _key(self, entry: TimeEntry) -> Key:
        values = [value_of(entry, dimension, self._places) for dimension in self._group_by]
        for dimension, (value, name) in zip(self._group_by, values):
            if name is not None:
                self._names[dimension, value] = name
        return tuple(value for value, _ in values)

    def summary(self) -> AgentSummary:
        """What was counted."""
        return AgentSummary(
            **self._tally.totals(),
            from_date=self._period[0],
            to_date=self._period[1],
            entries=self._entries,
            changed=self._watch.changed,
            groups=[self._group(key) for key in sorted(self._groups, key=self._place)],
        )

    def _group(self, key: Key) -> AgentSummaryGroup:
        values: dict[str, str | None] = dict(zip(self._group_by, key))
        names = {name: self._names[name, id] for name, id in values.items() if (name, id) in self._names}
        return AgentSummaryGroup(**self._groups[key].totals(), key=values, names=names)

    def _place(self, key: Key) -> list[tuple[bool, str, str]]:
        """Groups are in the order of their names, and of what has no name; the unknown comes last."""
        named = zip(self._group_by, key)
        return [(value is None, self._names.get((name, value), value or ""), value or "") for name, value in named]


class _Watch:
    """Watches the pages of a list that may change while it is read.

    An entry that is added shifts others to the next page, where they come again: the ids of one page tell them, without
    keeping those of all entries.
    """

    def __init__(self) -> None:
        self._before: frozenset[str] = frozenset()
        self._read = 0
        self._totals: set[int] = set()

    def new_of(self, page: Page[TimeEntry]) -> list[TimeEntry]:
        """The entries that were not on the page before."""
        new = [entry for entry in page.items if entry.id not in self._before]
        self._before = frozenset(entry.id for entry in page.items)
        self._read += len(new)
        if page.total_entries is not None:
            self._totals.add(page.total_entries)
        return new

    @property
    def changed(self) -> bool:
        """Whether the list was not the same from its first page to its last, as far as the server's totals tell."""
        return bool(self._totals) and self._totals != {self._read}
