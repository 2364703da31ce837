"""Who used how many tokens in a run: the breakdown that its time entry shows."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Optional
from weakref import WeakKeyDictionary

from keito.billing.metadata import short
from keito.metering import AgentRun, Usage
from keito_crewai.framework import version

_MOST_ROWS = 32
"""Of each kind. A record has 4,096 bytes of metadata at most."""

OTHERS = "(others)"
CREW_ITSELF = "(crew)"
"""Who calls a model for planning, memory and the like."""


class Tally:
    """Counts what a run's crews, agents and tasks did. Thread-safe; bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._facts: dict[str, Any] = {"crewai": version()}
        self._crews: dict[str, dict[str, Any]] = {}
        self._agents: dict[str, dict[str, Any]] = {}
        self._tasks: dict[str, dict[str, Any]] = {}
        self._unmetered: dict[tuple[str, str], int] = {}
        self._reported = 0
        self._incomplete = False
        self._unattributed = 0

    def fact(self, name: str, value: Optional[str]) -> None:
        """Something that holds for the whole run; the first one counts."""
        if value is not None:
            with self._lock:
                self._facts.setdefault(name, short(value))

    def crew(self, key: str, name: Optional[str], process: Optional[str]) -> None:
        """A crew was started."""
        with self._lock:
            row = _row(self._crews, key, {"name": short(name), "key": short(key), "process": process, "kickoffs": 0})
            row["kickoffs"] += 1

    def task(self, task_id: str, name: Optional[str], end: Optional[str] = None) -> None:
        """A task was started, or has come to an `end`, such as `completed`."""
        with self._lock:
            row = _row(self._tasks, task_id, {"name": None, **_NOTHING})
            row["name"] = row["name"] or short(name)
            if end is not None:
                row["status"] = end

    def call(self, role: Optional[str], task_id: Optional[str], usage: Optional[Usage]) -> None:
        """A model was called by an agent, for a task."""
        with self._lock:
            agent = short(role) or CREW_ITSELF
            rows = [_row(self._agents, agent, {"role": agent, **_NOTHING})]
            if task_id is not None:
                rows.append(_row(self._tasks, task_id, {"name": None, **_NOTHING}))
            for row in rows:
                row["calls"] += 1
                row["tokens_in"] += usage.input_tokens if usage is not None else 0
                row["tokens_out"] += usage.output_tokens if usage is not None else 0

    def unmetered(self, model: Optional[str], reason: str) -> None:
        """There was a call whose tokens are not known."""
        with self._lock:
            key = (short(model) or "unknown", reason)
            key = key if key in self._unmetered or len(self._unmetered) < _MOST_ROWS else (OTHERS, reason)
            self._unmetered[key] = self._unmetered.get(key, 0) + 1

    def reported(self, tokens: int) -> None:
        """What CrewAI says that a kickoff took."""
        with self._lock:
            self._reported += tokens

    def incomplete(self) -> None:
        """Model calls had not ended when the run did."""
        with self._lock:
            self._incomplete = True

    def unattributed(self, calls: int) -> None:
        """While the run lasted there were calls of which nobody knows what they belong to."""
        with self._lock:
            self._unattributed += calls

    def details(self) -> Mapping[str, Any]:
        """All of it, ready for the metadata."""
        with self._lock:
            tasks = [{**row, "name": row["name"] or f"task {n}"} for n, row in enumerate(self._tasks.values(), 1)]
            unmetered = [
                {"model": model, "reason": reason, "calls": calls} for (model, reason), calls in self._unmetered.items()
            ]
            found = {
                **self._facts,
                "usage_complete": not self._incomplete,
                "crewai_reported_tokens": self._reported,
                "unattributed_calls": self._unattributed,
                "unmetered_calls": unmetered,
                "crews": [_without_none(row) for row in self._crews.values()],
                "agents": [dict(row) for row in self._agents.values()],
                "tasks": tasks,
            }
        return {name: value for name, value in found.items() if value or name == "usage_complete"}


_NOTHING = {"calls": 0, "tokens_in": 0, "tokens_out": 0}

_tallies: WeakKeyDictionary[AgentRun, Tally] = WeakKeyDictionary()
_tallies_lock = threading.Lock()


def tally_of(run: AgentRun) -> Tally:
    """The tally of a root run: one for all that happens in it."""
    with _tallies_lock:
        found = _tallies.get(run)
        if found is None:
            found = _tallies[run] = Tally()
        return found


def _row(rows: dict[str, dict[str, Any]], key: str, new: dict[str, Any]) -> dict[str, Any]:
    if key not in rows and len(rows) >= _MOST_ROWS:
        key, new = OTHERS, {**new, **{name: OTHERS for name in ("name", "role") if name in new}}
    return rows.setdefault(key, new)


def _without_none(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
