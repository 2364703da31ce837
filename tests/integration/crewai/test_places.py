"""Whose client pays: the innermost run around a call, and for streams the one in which they were made."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from keito_crewai import BilledCrew, install, streams, unattributed

USE_TOOL = {"name": "look_up", "arguments": {"query": "bees"}}


@pytest.fixture
def other(keito_client: Any, keito_sandbox: Any) -> str:
    """The project of another client."""
    project: str = keito_client.projects.create(client_id=keito_sandbox.client_id, name="Other").id
    return project


def expensed(bill: Any) -> tuple[int, int]:
    models = [(expense.metadata or {})["model"] for expense in bill.expenses]
    return sum(model["tokens_in"] for model in models), sum(model["tokens_out"] for model in models)


@pytest.mark.parametrize("exact", [False, True])
def test_a_call_in_a_run_of_a_tool_goes_to_the_project_of_that_run(
    kit: Any, billing: Any, bill: Any, stub: Any, policy: Any, other: str, exact: bool
) -> None:
    from crewai.tools import tool

    llm = kit.llm()

    @tool("look_up")
    def look_up(query: str) -> str:
        """Look something up."""
        with billing.run("Elsewhere", project_id=other):
            return str(llm.call("Elsewhere."))

    stub.script.append(USE_TOOL)
    BilledCrew(kit.crew(kit.task(kit.agent(llm, tools=[look_up]))), billing, exact=exact).kickoff()
    elsewhere, total = stub.tokens('"Elsewhere."'), stub.tokens()
    ours = bill(billing, project_id=policy.project_id)
    assert expensed(bill(billing, project_id=other)) == elsewhere
    assert ours.tokens == [(total[0] - elsewhere[0], total[1] - elsewhere[1])]
    assert [row["tokens_in"] for row in ours.details["agents"]] == [ours.tokens[0][0]]


@pytest.mark.parametrize("how", ["billed", "installed"])
@pytest.mark.parametrize("made_inside", [False, True])
def test_a_stream_belongs_to_where_it_was_made(
    kit: Any, billing: Any, bill: Any, stub: Any, policy: Any, other: str, how: str, made_inside: bool
) -> None:
    crew = kit.crew(stream=True)
    if how == "installed":
        install(billing)
    else:
        crew = BilledCrew(crew, billing)
    if made_inside:
        with billing.run("Ours"):
            stream = crew.kickoff()
            with billing.run("Theirs", project_id=other):
                list(stream)
    else:
        stream = crew.kickoff()
        with billing.run("Theirs", project_id=other):
            list(stream)
    assert bill(billing, project_id=policy.project_id).tokens == [stub.tokens()]
    assert bill(billing, project_id=other).tokens == [(0, 0)]


def test_an_asynchronous_stream_belongs_to_where_it_was_made(
    kit: Any, billing: Any, bill: Any, stub: Any, policy: Any, other: str
) -> None:
    async def read() -> None:
        async with billing.run("Ours"):
            stream = await BilledCrew(kit.crew(stream=True), billing).akickoff()
            async with billing.run("Theirs", project_id=other):
                async for _ in stream:
                    pass

    asyncio.run(read())
    assert bill(billing, project_id=policy.project_id).tokens == [stub.tokens()]


def test_a_stream_that_is_read_after_its_run_goes_to_the_same_project(
    kit: Any, billing: Any, bill: Any, stub: Any, other: str
) -> None:
    with billing.run("Request", project_id=other, session_id="chat-1"):
        stream = BilledCrew(kit.crew(stream=True), billing).kickoff()
    list(stream)
    found = bill(billing, project_id=other)
    assert found.tokens == [stub.tokens(), (0, 0)]
    assert {entry.metadata["session_id"] for entry in found.time} == {"chat-1"}


def test_a_kickoff_that_outlives_its_run_goes_to_the_same_project(
    kit: Any, billing: Any, bill: Any, stub: Any, other: str
) -> None:
    async def request() -> None:
        ended = asyncio.Event()

        async def in_the_background() -> None:
            await ended.wait()
            await BilledCrew(kit.crew(), billing).akickoff()

        async with billing.run("Request", project_id=other):
            task = asyncio.ensure_future(in_the_background())
        ended.set()
        await task

    asyncio.run(request())
    assert bill(billing, project_id=other).tokens == [stub.tokens(), (0, 0)]


def test_streams_that_keito_cannot_follow_are_said_once(
    kit: Any, billing: Any, bill: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("_SYNC", "_ASYNC"):
        monkeypatch.setattr(streams, name, "_renamed")
    monkeypatch.setattr(streams, "_unknown", set())
    with caplog.at_level(logging.ERROR, "keito.billing"):
        for _ in range(2):
            list(BilledCrew(kit.crew(stream=True), billing).kickoff())
    assert caplog.text.count("streams (CrewStreamingOutput) that keito cannot follow") == 1
    assert bill(billing).time == []


@pytest.mark.parametrize("metered", [False, True])
def test_with_install_a_programs_own_call_counts_in_its_run(
    kit: Any, billing: Any, bill: Any, stub: Any, metered: bool
) -> None:
    from crewai.events.event_bus import crewai_event_bus
    from crewai.events.types.llm_events import LLMCallCompletedEvent
    from keito_crewai.hooks import meter_clients

    llm = kit.llm()
    if metered:
        meter_clients(llm)
    install(billing)
    with billing.run("Job"):
        llm.call("mark")
        crewai_event_bus.flush()
    llm.call("without a run")
    crewai_event_bus.flush()
    found = bill(billing)
    tells_ids = "response_id" in LLMCallCompletedEvent.model_fields  # CrewAI 1.13 does not: it could count twice
    assert found.tokens == [stub.tokens('"mark"') if metered or tells_ids else (0, 0)]
    assert unattributed()[0].calls == (1 if tells_ids else 2)
