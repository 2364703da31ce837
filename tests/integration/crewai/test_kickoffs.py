"""Every way into a crew: one run for each kickoff, with the tokens that the provider charges for.

CrewAI's own totals are too high in most of these cases: `crewai_reported_tokens` shows it.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from keito_crewai import BilledCrew


def reported(entry: Any) -> int:
    found: int = entry.metadata["keito"]["details"]["crewai_reported_tokens"]
    return found


def test_a_kickoff_is_one_run_with_the_tokens_of_the_provider(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    crew = BilledCrew(kit.crew(name="Research"), billing)
    assert crew.kickoff(inputs={"topic": "bees"}).raw == "done."
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    assert [entry.notes for entry in found.time] == ["Research"]
    assert len(found.expenses) == 1
    assert found.facts["cache_read_tokens"] == 16
    assert found.facts.get("reasoning_tokens", 8) == 8  # CrewAI 1.13 has none
    assert found.details["usage_complete"] is True


def test_a_model_that_two_agents_share_counts_once(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    llm = kit.llm()
    crew = BilledCrew(kit.crew(kit.task(kit.agent(llm)), kit.task(kit.agent(llm, "Writer"))), billing)
    crew.kickoff()
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    assert len(stub.served) == 2
    assert reported(found.time[0]) == 2 * sum(stub.tokens())


def test_a_second_kickoff_counts_only_its_own(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    llm = kit.llm()
    crew = BilledCrew(kit.crew(kit.task(kit.agent(llm)), kit.task(kit.agent(llm, "Writer"))), billing)
    crew.kickoff()
    first = stub.tokens()
    crew.kickoff()
    both = stub.tokens()
    assert bill(billing).tokens == sorted([first, (both[0] - first[0], both[1] - first[1])], reverse=True)


FOR_EACH = [{"topic": f"topic-{name}"} for name in ("one", "two", "three")]


def each(kit: Any) -> Any:
    llm = kit.llm()
    tasks = kit.task(kit.agent(llm), "{topic}", name="look"), kit.task(kit.agent(llm, "Writer"), "{topic}")
    return kit.crew(*tasks)


def per_topic(stub: Any) -> list[tuple[int, int]]:
    return sorted((stub.tokens(row["topic"]) for row in FOR_EACH), reverse=True)


def test_for_each_makes_one_run_for_each_input(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    results = BilledCrew(each(kit), billing).kickoff_for_each(FOR_EACH)
    assert [result.raw for result in results] == ["done."] * 3
    found = bill(billing)
    assert found.tokens == per_topic(stub)
    assert max(map(reported, found.time)) == 2 * sum(stub.tokens())


@pytest.mark.parametrize("entry_point", ["kickoff_for_each_async", "akickoff_for_each"])
def test_for_each_at_the_same_time_counts_each_input_apart(
    kit: Any, billing: Any, bill: Any, stub: Any, entry_point: str
) -> None:
    results = asyncio.run(getattr(BilledCrew(each(kit), billing), entry_point)(FOR_EACH))
    assert [result.raw for result in results] == ["done."] * 3
    assert bill(billing).tokens == per_topic(stub)


@pytest.mark.parametrize("entry_point", ["kickoff_async", "akickoff"])
def test_crews_on_one_event_loop_are_counted_apart(
    kit: Any, billing: Any, bill: Any, stub: Any, entry_point: str
) -> None:
    llm = kit.llm()
    crews = [BilledCrew(kit.crew(kit.task(kit.agent(llm), row["topic"])), billing) for row in FOR_EACH]

    async def all_at_once() -> None:
        await asyncio.gather(*(getattr(crew, entry_point)() for crew in crews))

    asyncio.run(all_at_once())
    assert bill(billing).tokens == per_topic(stub)


def test_crews_in_threads_are_counted_apart(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    llm = kit.llm()
    crews = [BilledCrew(kit.crew(kit.task(kit.agent(llm), row["topic"])), billing) for row in FOR_EACH]
    threads = [threading.Thread(target=crew.kickoff) for crew in crews]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bill(billing).tokens == per_topic(stub)


def test_two_clients_in_one_process_are_billed_apart(
    kit: Any, make_billing: Any, policy: Any, bill: Any, stub: Any, keito_client: Any, keito_sandbox: Any
) -> None:
    from dataclasses import replace

    other = keito_client.projects.create(client_id=keito_sandbox.client_id, name="Other").id
    llm = kit.llm()
    first, second = make_billing(), make_billing(replace(policy, project_id=other))
    crews = [
        BilledCrew(kit.crew(kit.task(kit.agent(llm), mark)), billing)
        for mark, billing in (("client-one", first), ("client-two", second), ("client-two", second))
    ]

    async def both() -> None:
        await asyncio.gather(crews[0].akickoff(), crews[1].akickoff(), crews[2].kickoff_async())

    asyncio.run(both())
    assert bill(first, second, project_id=policy.project_id).tokens == [stub.tokens("client-one")]
    theirs = bill(first, second, project_id=other)
    assert len(theirs.time) == 2
    assert tuple(map(sum, zip(*theirs.tokens))) == stub.tokens("client-two")


def test_the_inputs_choose_the_policy_of_each_run(
    kit: Any, make_billing: Any, policy: Any, bill: Any, stub: Any, keito_client: Any, keito_sandbox: Any
) -> None:
    from dataclasses import replace

    other = replace(policy, project_id=keito_client.projects.create(client_id=keito_sandbox.client_id, name="B").id)
    policies = {"one": policy, "two": other}
    billing = make_billing(resolve=lambda run: policies[run.attributes["client"]])
    crew = kit.crew(kit.task(kit.agent(), "of client-{client}"))
    BilledCrew(crew, billing).kickoff_for_each([{"client": "one"}, {"client": "two"}])
    for client, chosen in policies.items():
        assert bill(billing, project_id=chosen.project_id).tokens == [stub.tokens(f"client-{client}")]


def test_replay_is_billed_for_what_it_calls_again(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    llm = kit.llm()
    crew = BilledCrew(kit.crew(kit.task(kit.agent(llm)), kit.task(kit.agent(llm, "Writer"), "second-mark")), billing)
    crew.kickoff()
    first = stub.tokens()
    crew.replay(str(crew.tasks[1].id))
    both = stub.tokens()
    assert bill(billing).tokens == sorted([first, (both[0] - first[0], both[1] - first[1])], reverse=True)
    assert len(stub.served) == 3


@pytest.mark.parametrize("asked", [False, True])
def test_tests_and_trainings_are_billed_only_when_asked(
    kit: Any, billing: Any, bill: Any, stub: Any, asked: bool
) -> None:
    score = '{"quality": 8}'
    stub.answer = lambda body: score if "evaluat" in str(body).lower() else "Thought: I know\nFinal Answer: done."
    crew = BilledCrew(kit.crew(), billing, training=asked)
    crew.test(1, kit.llm())
    assert stub.served
    assert bill(billing).tokens == ([stub.tokens()] if asked else [])
    crew.kickoff()
    assert len(bill(billing).time) == 1 + asked


def test_nothing_is_billed_without_asking(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    from keito_crewai import unattributed

    billed, free = BilledCrew(kit.crew(kit.task(kit.agent(), "billed")), billing), kit.crew()
    gate = threading.Thread(target=free.kickoff)
    gate.start()
    billed.kickoff()
    gate.join()
    found = bill(billing)
    assert found.tokens == [stub.tokens("billed")]
    assert unattributed() == []
    assert "unattributed_calls" not in found.details
