"""Streams work while somebody iterates, in threads and tasks of their own; they are billed when that work ends."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import pytest
from keito_crewai import BilledCrew, BilledFlow, install


def until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def needs(method: str) -> Any:
    """CrewAI 1.13 cannot close streams."""
    from crewai.types.streaming import CrewStreamingOutput

    return pytest.mark.skipif(not hasattr(CrewStreamingOutput, method), reason=f"streams have no {method}()")


def streaming(kit: Any, **fields: Any) -> Any:
    return kit.crew(stream=True, **fields)


def test_a_stream_is_billed_at_its_end(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    stream = BilledCrew(streaming(kit), billing).kickoff()
    assert stub.served == []
    assert "done" in "".join(chunk.content for chunk in stream)
    assert stream.result.raw == "done."
    assert bill(billing).tokens == [stub.tokens()]


def test_streams_of_two_clients_that_are_read_in_turns(
    kit: Any, make_billing: Any, policy: Any, bill: Any, stub: Any, keito_client: Any, keito_sandbox: Any
) -> None:
    from dataclasses import replace

    other = keito_client.projects.create(client_id=keito_sandbox.client_id, name="Other").id
    first, second = make_billing(), make_billing(replace(policy, project_id=other))
    streams = [
        BilledCrew(kit.crew(kit.task(kit.agent(), mark), stream=True), one).kickoff()
        for mark, one in (("client-one", first), ("client-two", second))
    ]
    for _ in zip(*streams, strict=False):
        pass
    for stream in streams:
        list(stream)
    assert bill(first, second, project_id=policy.project_id).tokens == [stub.tokens("client-one")]
    assert bill(first, second, project_id=other).tokens == [stub.tokens("client-two")]


@pytest.mark.parametrize("entry_point", ["kickoff_async", "akickoff"])
def test_an_asynchronous_stream(kit: Any, billing: Any, bill: Any, stub: Any, entry_point: str) -> None:
    async def read() -> str:
        stream = await getattr(BilledCrew(streaming(kit), billing), entry_point)()
        text = "".join([chunk.content async for chunk in stream])
        assert stream.result.raw == "done."
        return text

    assert "done" in asyncio.run(read())
    assert bill(billing).tokens == [stub.tokens()]


@pytest.mark.parametrize("entry_point", ["kickoff_for_each_async", "akickoff_for_each"])
def test_for_each_in_one_stream(kit: Any, billing: Any, bill: Any, stub: Any, entry_point: str) -> None:
    crew = BilledCrew(kit.crew(kit.task(kit.agent(), "{topic}"), stream=True), billing)
    topics = [{"topic": f"topic-{name}"} for name in ("one", "two")]

    async def read() -> None:
        stream = await getattr(crew, entry_point)(topics)
        assert [chunk async for chunk in stream]
        assert [result.raw for result in stream.results] == ["done."] * 2

    asyncio.run(read())
    assert bill(billing).tokens == sorted((stub.tokens(row["topic"]) for row in topics), reverse=True)


def test_for_each_with_a_list_of_streams(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    crew = BilledCrew(kit.crew(kit.task(kit.agent(), "{topic}"), stream=True), billing)
    topics = [{"topic": f"topic-{name}"} for name in ("one", "two")]
    for stream in crew.kickoff_for_each(topics):
        assert list(stream)
    assert bill(billing).tokens == sorted((stub.tokens(row["topic"]) for row in topics), reverse=True)


@needs("close")
def test_a_stream_that_is_closed_early_is_billed_for_the_whole_work(
    kit: Any, billing: Any, bill: Any, stub: Any
) -> None:
    stream = BilledCrew(
        kit.crew(kit.task(kit.agent()), kit.task(kit.agent(), "second"), stream=True), billing
    ).kickoff()
    for _ in stream:
        break
    stream.close()
    assert len(stub.served) == 2
    assert bill(billing).tokens == [stub.tokens()]


def test_a_stream_that_nobody_holds_any_more_is_billed(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    stream = BilledCrew(streaming(kit), billing).kickoff()
    chunks = iter(stream)
    next(chunks)
    del stream, chunks
    gc.collect()
    until(lambda: bill(billing).time)
    assert bill(billing).tokens == [stub.tokens()]


@needs("close")
def test_a_stream_that_nobody_reads_costs_nothing(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    BilledCrew(streaming(kit), billing).kickoff().close()
    gc.collect()
    assert (stub.served, bill(billing).time) == ([], [])


@needs("aclose")
def test_an_asynchronous_stream_that_is_left_is_cancelled(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    async def read_one() -> None:
        crew = kit.crew(kit.task(kit.agent()), kit.task(kit.agent(), "second"), stream=True)
        async with await BilledCrew(crew, billing).akickoff() as stream:
            async for _ in stream:
                break

    asyncio.run(read_one())
    found = bill(billing)
    assert found.facts["status"] == "cancelled"
    assert found.facts.get("calls", 0) <= len(stub.served)


def test_a_stream_that_fails(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    error = RuntimeError("no")

    def fail(output: Any) -> None:
        raise error

    stream = BilledCrew(kit.crew(kit.task(kit.agent(), callback=fail), stream=True), billing).kickoff()
    with pytest.raises(RuntimeError) as caught:
        list(stream)
    assert caught.value is error
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    assert found.facts["status"] == "failed"


def test_a_stream_without_usage_is_flagged(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    stub.usage_of_streams = False
    list(BilledCrew(streaming(kit), billing).kickoff())
    found = bill(billing)
    assert "unpriced" in found.facts["flags"]
    assert found.details["unmetered_calls"] == [{"model": "gpt-5-mini", "reason": "not reported", "calls": 1}]


def flow_with(kit: Any) -> Any:
    from crewai.flow.flow import Flow, start

    class Streaming(Flow):  # type: ignore[misc]
        stream = True

        @start()
        def only(self) -> Any:
            return kit.crew().kickoff().raw

    flow = Streaming()
    flow.stream = True
    return flow


def test_a_streamed_flow(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    stream = BilledFlow(flow_with(kit), billing).kickoff()
    list(stream)
    assert stream.result == "done."
    assert bill(billing).tokens == [stub.tokens()]


def test_a_streamed_flow_on_an_event_loop(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    async def read() -> None:
        stream = await BilledFlow(flow_with(kit), billing).kickoff_async()
        async for _ in stream:
            pass
        assert stream.result == "done."

    asyncio.run(read())
    assert bill(billing).tokens == [stub.tokens()]


def test_an_installed_billing_sees_streams(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    install(billing)
    list(streaming(kit).kickoff())
    assert bill(billing).tokens == [stub.tokens()]
