"""Whose model call it is, wherever CrewAI makes it from."""

from __future__ import annotations

import contextvars
import logging
import threading
from typing import Any

import pytest
from keito_crewai import BilledCrew, BilledFlow, unattributed


@pytest.mark.parametrize("entry_point", ["kickoff", "akickoff"])
def test_tasks_that_run_at_the_same_time(kit: Any, billing: Any, bill: Any, stub: Any, entry_point: str) -> None:
    llm = kit.llm()
    tasks = [kit.task(kit.agent(llm, role), name=role, async_execution=role != "Writer") for role in ROLES]
    run(BilledCrew(kit.crew(*tasks), billing), entry_point)
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    rows = {row["role"]: (row["calls"], row["tokens_in"], row["tokens_out"]) for row in found.details["agents"]}
    assert rows == {role: (1, *stub.tokens(f"You are {role}.")) for role in ROLES}
    assert {row["name"]: row["status"] for row in found.details["tasks"]} == dict.fromkeys(ROLES, "completed")


ROLES = ("Reader", "Thinker", "Writer")


def run(crew: Any, entry_point: str) -> Any:
    import asyncio

    result = getattr(crew, entry_point)()
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


def test_planning_counts_though_crewai_forgets_it(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    plan = '{"list_of_plans_per_task": [{"task_number": 1, "task": "t", "plan": "go"}]}'
    stub.answer = lambda body: plan if "plan" in str(body["messages"][0]).lower() else FINAL
    BilledCrew(kit.crew(planning=True, planning_llm=kit.llm("gpt-4o-mini")), billing).kickoff()
    found = bill(billing)
    assert len(stub.served) >= 2
    assert found.tokens == [stub.tokens()]
    assert {row["name"] for row in found.time[0].metadata["models"]} == {"gpt-5-mini", "gpt-4o-mini"}
    assert found.details["crewai_reported_tokens"] < sum(stub.tokens())


FINAL = "Thought: I now can give a great answer\nFinal Answer: done."


def test_a_hierarchy_with_delegation(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    delegate = {
        "name": "delegate_work_to_coworker",
        "arguments": {"task": "look", "context": "none", "coworker": "Researcher"},
    }
    stub.script.append(delegate)
    crew = kit.crew(kit.task(None), agents=[kit.agent()], process="hierarchical", manager_llm=kit.llm("gpt-4o-mini"))
    BilledCrew(crew, billing).kickoff()
    found = bill(billing)
    assert len(stub.served) == 3
    assert found.tokens == [stub.tokens()]
    assert {row["role"] for row in found.details["agents"]} == {"Crew Manager", "Researcher"}


def test_a_guardrail_that_asks_a_model(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    stub.answer = lambda body: '{"valid": true, "feedback": null}' if "guardrail" in str(body).lower() else FINAL
    BilledCrew(kit.crew(kit.task(kit.agent(), guardrail="it is polite")), billing).kickoff()
    found = bill(billing)
    assert len(stub.served) >= 2
    assert found.tokens == [stub.tokens()]


@pytest.mark.parametrize("exact", [False, True])
def test_memory_that_saves_in_the_background(
    kit: Any, billing: Any, bill: Any, stub: Any, monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.setenv(name, stub.url)  # the memory's own model
    analysis = '{"memories": ["bees fly"], "suggested_scope": "/a", "categories": [], "importance": 0.5}'
    stub.answer = lambda body: analysis if "memor" in str(body["messages"][0]).lower() else FINAL
    embedder = {"provider": "openai", "config": {"api_key": "sk-loopback", "api_base": stub.url}}
    BilledCrew(kit.crew(memory=True, embedder=embedder), billing, exact=exact, patience=10).kickoff()
    found = bill(billing)
    assert len(stub.chats) >= 2
    assert stub.embeddings
    if exact:
        embedded = sum(call.tokens_in for call in stub.embeddings)
        assert found.tokens == [(stub.tokens()[0] + embedded, stub.tokens()[1])]
        assert "flags" not in found.facts
        return
    assert found.facts["calls"] == len(stub.chats)  # nothing tells of the embeddings
    unmetered = sum(row["calls"] for row in found.details.get("unmetered_calls", []))
    assert (found.tokens == [stub.tokens()]) is (unmetered == 0)
    assert ("unpriced" in found.facts.get("flags", [])) is (unmetered > 0)


def test_a_callback_after_the_kickoff(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    llm = kit.llm()

    def summarise(output: Any) -> Any:
        llm.call("after-mark")
        return output

    BilledCrew(kit.crew(kit.task(kit.agent(llm)), after_kickoff_callbacks=[summarise]), billing).kickoff()
    assert len(stub.served) == 2
    assert bill(billing).tokens == [stub.tokens()]


def threaded_tool(llm: Any, start: Any) -> Any:
    from crewai.tools import tool

    @tool("look_up")
    def look_up(query: str) -> str:
        """Look something up."""
        thread = threading.Thread(target=start(lambda: llm.call("thread-mark")))
        thread.start()
        thread.join()
        return "found"

    return look_up


USE_TOOL = {"name": "look_up", "arguments": {"query": "bees"}}


def test_a_thread_with_a_copy_of_the_context_belongs_to_the_crew(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    llm = kit.llm()
    stub.script.append(USE_TOOL)

    def with_context(call: Any) -> Any:
        context = contextvars.copy_context()
        return lambda: context.run(call)

    tool = threaded_tool(llm, with_context)
    BilledCrew(kit.crew(kit.task(kit.agent(llm, tools=[tool]))), billing).kickoff()
    assert len(stub.served) == 3
    assert bill(billing).tokens == [stub.tokens()]


def test_a_thread_that_carries_only_crewais_own_context_is_found_by_the_events_around_it(
    kit: Any, billing: Any, bill: Any, stub: Any
) -> None:
    from crewai.events import event_context

    llm = kit.llm()
    stub.script.append(USE_TOOL)

    def with_events(call: Any) -> Any:
        stack = event_context._event_id_stack.get()

        def go() -> None:
            event_context._event_id_stack.set(stack)
            call()

        return go

    BilledCrew(kit.crew(kit.task(kit.agent(llm, tools=[threaded_tool(llm, with_events)]))), billing).kickoff()
    assert len(stub.served) == 3
    assert bill(billing).tokens == [stub.tokens()]
    assert unattributed() == []


def test_a_bare_thread_is_reported_as_unattributed(
    kit: Any, billing: Any, bill: Any, stub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    llm = kit.llm()
    stub.script.append(USE_TOOL)
    with caplog.at_level(logging.WARNING, "keito.billing"):
        BilledCrew(kit.crew(kit.task(kit.agent(llm, tools=[threaded_tool(llm, lambda call: call)]))), billing).kickoff()
    found, (lost,) = bill(billing), unattributed()
    thread = stub.tokens("thread-mark")
    total = stub.tokens()
    assert (lost.calls, lost.model, lost.usage.input_tokens, lost.usage.output_tokens) == (1, "gpt-5-mini", *thread)
    assert found.tokens == [(total[0] - thread[0], total[1] - thread[1])]
    assert found.details["unattributed_calls"] == 1
    assert "copy the context" in caplog.text


def flow_of(*steps: Any) -> Any:
    from crewai.flow.flow import Flow, listen, start

    class TwoSteps(Flow):  # type: ignore[misc]
        @start()
        def first(self) -> Any:
            return steps[0]()

        @listen(first)
        def second(self) -> Any:
            return steps[1]()

    return TwoSteps()


@pytest.mark.parametrize("entry_point", ["kickoff", "kickoff_async", "akickoff"])
def test_crews_in_a_flow_are_parts_of_its_run(kit: Any, billing: Any, bill: Any, stub: Any, entry_point: str) -> None:
    llm = kit.llm()
    crews = [BilledCrew(kit.crew(kit.task(kit.agent(llm), mark), name=mark), billing) for mark in ("one", "two")]

    def second() -> Any:
        llm.call("direct-mark")
        return crews[1].kickoff()

    result = run(BilledFlow(flow_of(crews[0].kickoff, second), billing), entry_point)
    assert result.raw == "done."
    found = bill(billing)
    assert len(stub.served) == 3
    assert found.tokens == [stub.tokens()]
    assert [entry.notes for entry in found.time] == ["TwoSteps"]
    assert [row["name"] for row in found.details["crews"]] == ["one", "two"]
    assert found.details["flow"] == "TwoSteps"


def test_a_crew_of_another_client_in_a_flow_is_billed_by_itself(
    kit: Any, make_billing: Any, policy: Any, bill: Any, stub: Any, keito_client: Any, keito_sandbox: Any
) -> None:
    from dataclasses import replace

    other = keito_client.projects.create(client_id=keito_sandbox.client_id, name="Other").id
    ours, theirs = make_billing(), make_billing(replace(policy, project_id=other))
    first = kit.crew(kit.task(kit.agent(), "ours-mark"))
    second = BilledCrew(kit.crew(kit.task(kit.agent(), "theirs-mark")), theirs)
    BilledFlow(flow_of(first.kickoff, second.kickoff), ours).kickoff()
    assert bill(ours, theirs, project_id=policy.project_id).tokens == [stub.tokens("ours-mark")]
    assert bill(ours, theirs, project_id=other).tokens == [stub.tokens("theirs-mark")]


@pytest.mark.parametrize("entry_point", ["kickoff", "kickoff_async", "akickoff"])
def test_an_agent_without_a_crew(kit: Any, billing: Any, bill: Any, stub: Any, entry_point: str) -> None:
    import asyncio

    from keito_crewai import billed_agent

    agent = billed_agent(kit.agent(role="Helper"), billing)
    result = getattr(agent, entry_point)("agent-mark")
    result = asyncio.run(result) if asyncio.iscoroutine(result) else result
    assert "done" in result.raw
    found = bill(billing)
    assert found.tokens == [stub.tokens("agent-mark")]
    assert found.time[0].notes == "Helper"


def test_an_agent_in_an_event_loop_is_billed_when_it_works(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    import asyncio

    from keito_crewai import billed_agent

    async def ask() -> Any:
        return await billed_agent(kit.agent(), billing).kickoff("agent-mark")

    asyncio.run(ask())
    assert bill(billing).tokens == [stub.tokens("agent-mark")]
