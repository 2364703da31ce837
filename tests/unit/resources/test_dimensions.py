"""What an entry belongs to when sums are divided."""

from __future__ import annotations

from typing import Any

import pytest

from keito.resources.dimensions import agent_of, value_of
from keito.resources.places import Places
from keito.types import TimeEntry
from keito.types.report import Dimension


@pytest.mark.parametrize(
    ("metadata", "agent"),
    [
        (None, None),
        ({}, None),
        ({"agent": {"id": "a", "framework": "crewai"}}, "a"),
        ({"agent_id": "a"}, "a"),
        ({"agentId": "a"}, "a"),
        ({"agent": {"framework": "crewai"}, "agent_id": "a"}, "a"),
        ({"agent": "a"}, None),
        ({"agent": {"id": 7}}, None),
        ({"agent_id": ""}, None),
    ],
)
def test_agents_are_known_in_each_form_that_programs_write(metadata: dict[str, Any] | None, agent: str | None) -> None:
    assert agent_of(metadata) == agent


@pytest.mark.parametrize(("dimension", "value"), [("day", "2027-01-01"), ("week", "2026-W53"), ("month", "2027-01")])
def test_the_first_days_of_a_year_may_be_in_the_last_week_of_the_one_before(dimension: Dimension, value: str) -> None:
    entry = TimeEntry.model_validate({"id": "te_1", "spent_date": "2027-01-01"})
    assert value_of(entry, dimension, Places("USD")) == (value, None)


@pytest.mark.parametrize("dimension", ["client", "project", "task", "user", "agent", "outcome_type", "day", "week"])
def test_an_entry_of_which_only_the_id_is_known_belongs_nowhere(dimension: Dimension) -> None:
    assert value_of(TimeEntry(id="te_1"), dimension, Places(None)) == (None, None)
