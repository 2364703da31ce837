"""Every way into a crew: one run for each kickoff, with the tokens that the provider charges for."""

from __future__ import annotations

from typing import Any

from keito_crewai import BilledCrew


def test_a_kickoff_is_one_run_with_the_tokens_of_the_provider(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    crew = BilledCrew(kit.crew(name="Research"), billing)
    assert crew.kickoff(inputs={"topic": "bees"}).raw == "done."
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    assert [entry.notes for entry in found.time] == ["Research"]
    assert len(found.expenses) == 1
    assert found.details["usage_complete"] is True
