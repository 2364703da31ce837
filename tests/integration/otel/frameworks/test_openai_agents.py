"""The OpenAI Agents SDK, through OpenInference's instrumentation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import agents
import pytest
from openai import AsyncOpenAI, NotFoundError

from keito.billing import Outcome
from keito.metering import log_outcome, meter
from tests.integration.otel.conftest import Tracing
from tests.integration.providers import Stub


@pytest.fixture(autouse=True)
def only_ours() -> Iterator[None]:
    """The SDK would export its traces to its maker."""
    agents.set_trace_processors([])
    yield
    agents.set_trace_processors([])


def helper(stub: Stub, *, metered: bool = False, chat: bool = False) -> Any:
    client = AsyncOpenAI(base_url=stub.url, api_key="sk-loopback")
    if metered:
        meter(client)
    kind = agents.OpenAIChatCompletionsModel if chat else agents.OpenAIResponsesModel
    return agents.Agent(name="helper", model=kind("gpt-5-mini", openai_client=client))


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("metered", [False, True])
def test_a_run_is_billed_once(installed: Tracing, stub: Stub, metered: bool, chat: bool) -> None:
    asyncio.run(agents.Runner.run(helper(stub, metered=metered, chat=chat), "hi"))
    found = installed.bill()
    assert (found.tokens, found.facts["calls"], len(found.expenses)) == ([(1000, 100)], 1, 1)
    if metered or not chat:  # for chats the SDK tells its spans only the two sums
        assert (found.facts["cache_read_tokens"], found.facts["reasoning_tokens"]) == (400, 60)
    assert found.time[0].notes == "Agent workflow"
    assert found.time[0].metadata["agent"] == {"id": "helper", "framework": "openai_agents"}


@pytest.mark.parametrize("metered", [False, True])
def test_a_streamed_run_is_billed_once(installed: Tracing, stub: Stub, metered: bool) -> None:
    async def main() -> None:
        result = agents.Runner.run_streamed(helper(stub, metered=metered), "hi")
        async for _ in result.stream_events():
            pass

    asyncio.run(main())
    found = installed.bill()
    assert (found.tokens, found.facts["calls"]) == ([(1000, 100)], 1)


def test_runs_of_one_trace_are_one_run(installed: Tracing, stub: Stub) -> None:
    async def main() -> None:
        with agents.trace("Ticket 4821", group_id="chat-77"):
            for _ in range(2):
                await agents.Runner.run(helper(stub), "hi")

    asyncio.run(main())
    found = installed.bill()
    assert [entry.notes for entry in found.time] == ["Ticket 4821"]
    assert found.tokens == [(2000, 200)]


def test_streams_that_begin_in_one_context_are_runs_of_their_own(installed: Tracing, stub: Stub) -> None:
    async def main() -> None:
        streams = [agents.Runner.run_streamed(helper(stub), "hi") for _ in range(3)]
        for result in streams:
            async for _ in result.stream_events():
                pass

    asyncio.run(main())
    assert installed.bill().tokens == [(1000, 100)] * 3


def test_a_tool_logs_outcomes(installed: Tracing, stub: Stub) -> None:
    seen: list[bool] = []

    class Resolve(agents.RunHooks):  # type: ignore[type-arg, misc]
        async def on_agent_end(self, context: Any, agent: Any, output: Any) -> None:
            seen.append(log_outcome(Outcome("ticket_resolved", 0.99)))

    asyncio.run(agents.Runner.run(helper(stub), "hi", hooks=Resolve()))
    assert seen == [True]
    assert len(installed.bill().outcomes) == 1


def test_a_client_that_has_an_instrumentation_of_its_own_counts_once(
    installed: Tracing, stub: Stub, instrumented: Any
) -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    instrumented(OpenAIInstrumentor(), tracer_provider=installed.provider)
    asyncio.run(agents.Runner.run(helper(stub), "hi"))
    found = installed.bill()
    assert (found.tokens, found.facts["calls"]) == ([(1000, 100)], 1)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("is_refused", [False, True])
def test_a_run_that_raises_has_failed_and_has_no_outcome_of_the_policy(
    installed: Tracing, stub: Stub, monkeypatch: pytest.MonkeyPatch, is_refused: bool, streams: bool
) -> None:
    """The spans of their roots say that all is well."""
    done = replace(installed.processor.billing.policy, outcome=Outcome("ticket_resolved", 0.99))
    monkeypatch.setattr(installed.processor.billing, "policy", done)
    stub.refused = "gpt-5-mini" if is_refused else None

    async def main() -> None:
        if streams:
            async for _ in agents.Runner.run_streamed(helper(stub), "hi").stream_events():
                pass
        else:
            await agents.Runner.run(helper(stub), "hi")

    with suppress(NotFoundError):
        asyncio.run(main())
    found = installed.bill()
    assert found.facts["status"] == ("failed" if is_refused else "completed")
    assert (len(found.outcomes), len(found.expenses)) == ((0, 0) if is_refused else (1, 1))


def test_a_run_that_goes_on_after_an_error_completes(installed: Tracing, stub: Stub) -> None:
    async def main() -> None:
        with agents.trace("Ticket 4821"):
            stub.refused = "gpt-5-mini"
            with suppress(NotFoundError):
                await agents.Runner.run(helper(stub), "hi")
            stub.refused = None
            await agents.Runner.run(helper(stub), "hi")

    asyncio.run(main())
    assert installed.bill().facts["status"] == "completed"
