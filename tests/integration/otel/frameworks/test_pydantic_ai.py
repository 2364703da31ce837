"""pydantic-ai, which emits spans by itself."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.usage import RequestUsage

from keito.billing import Outcome
from keito.metering import log_outcome, meter
from tests.integration.otel.conftest import Tracing
from tests.integration.providers import Stub

USAGE = RequestUsage(input_tokens=1000, output_tokens=100, cache_read_tokens=200)


class OfOpenAI(FunctionModel):
    """A model that a function stands in for, under the name of the provider whose prices it has."""

    @property
    def system(self) -> str:
        return "openai"


def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Calls each tool once, then answers."""
    called = sum(isinstance(part, ToolCallPart) for message in messages for part in message.parts)
    parts: Any = [ToolCallPart(tool.name) for tool in info.function_tools][called : called + 1] or [TextPart("done")]
    return ModelResponse(parts=parts, usage=USAGE, model_name="gpt-5-mini-2025-08-07", provider_name="openai")


def helper() -> Any:
    agent = Agent(OfOpenAI(answer, model_name="gpt-5-mini"), name="helper")

    @agent.tool_plain
    def close() -> str:
        assert log_outcome(Outcome("ticket_resolved", 0.99))
        return "ok"

    return agent


def test_a_run_is_billed_with_its_tools_and_outcomes(installed: Tracing) -> None:
    helper().run_sync("hi", conversation_id="chat-77")
    found = installed.bill()
    (time,), (outcome,), (_,) = found.time, found.outcomes, found.expenses
    assert (time.notes, found.tokens, found.facts["calls"]) == ("invoke_agent helper", [(2000, 200)], 2)
    assert found.facts["cache_read_tokens"] == 400
    assert time.metadata["agent"] == {"id": "helper", "framework": "pydantic-ai"}
    assert time.metadata["session_id"] == outcome.metadata["session_id"] == "chat-77"
    assert time.metadata["model"]["name"] == "gpt-5-mini"


def test_an_agent_inside_the_tool_of_another_is_a_part_of_it(installed: Tracing) -> None:
    inner, outer = helper(), Agent(OfOpenAI(answer, model_name="gpt-5-mini"), name="boss")

    @outer.tool_plain
    async def delegate() -> str:
        return str((await inner.run("please")).output)

    asyncio.run(outer.run("hi"))
    found = installed.bill()
    assert [entry.notes for entry in found.time] == ["invoke_agent boss"]
    assert found.tokens == [(4000, 400)]


def test_agents_that_run_at_the_same_time_are_runs_of_their_own(installed: Tracing) -> None:
    async def main() -> None:
        agent = helper()
        await asyncio.gather(*(agent.run("hi") for _ in range(5)))

    asyncio.run(main())
    found = installed.bill()
    assert found.tokens == [(2000, 200)] * 5
    assert len({entry.metadata["session_id"] for entry in found.outcomes}) == 5


@pytest.mark.parametrize("metered", [False, True])
def test_a_model_over_a_metered_client_counts_once(installed: Tracing, stub: Stub, metered: bool) -> None:
    provider = OpenAIProvider(base_url=stub.url, api_key="sk-loopback")
    if metered:
        meter(provider.client)
    agent = Agent(OpenAIChatModel("gpt-5-mini", provider=provider), name="helper")
    assert agent.run_sync("hi").output
    found = installed.bill()
    assert (found.tokens, found.facts["calls"]) == ([(1000, 100)], 1)
    assert (found.facts["cache_read_tokens"], found.facts["reasoning_tokens"]) == (400, 60)


@pytest.mark.parametrize("metered", [False, True])
def test_a_stream_counts_once(installed: Tracing, stub: Stub, metered: bool) -> None:
    provider = OpenAIProvider(base_url=stub.url, api_key="sk-loopback")
    if metered:
        meter(provider.client)
    agent = Agent(OpenAIChatModel("gpt-5-mini", provider=provider), name="helper")

    async def main() -> None:
        async with agent.run_stream("hi") as result:
            async for _ in result.stream_text():
                pass

    asyncio.run(main())
    found = installed.bill()
    assert (found.tokens, found.facts["calls"]) == ([(1000, 100)], 1)


def test_a_client_that_has_an_instrumentation_of_its_own_counts_once(
    installed: Tracing, stub: Stub, instrumented: Any
) -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    instrumented(OpenAIInstrumentor(), tracer_provider=installed.provider)
    provider = OpenAIProvider(base_url=stub.url, api_key="sk-loopback")
    agent = Agent(OpenAIChatModel("gpt-5-mini", provider=provider), name="helper")
    agent.run_sync("hi")
    found = installed.bill()
    assert (found.tokens, found.facts["calls"]) == ([(1000, 100)], 1)


@pytest.mark.parametrize("streams", [False, True])
def test_what_claude_keeps_for_an_hour_has_its_own_price(installed: Tracing, stub: Stub, streams: bool) -> None:
    client = AsyncAnthropic(base_url=stub.url.removesuffix("/v1"), api_key="sk-loopback")
    model = AnthropicModel("claude-sonnet-4-5", provider=AnthropicProvider(anthropic_client=client))
    agent = Agent(model, name="helper")

    async def main() -> None:
        async with agent.run_stream("hi") as result:
            async for _ in result.stream_text():
                pass

    asyncio.run(main()) if streams else agent.run_sync("hi")
    found = installed.bill()
    assert found.tokens == [(720, 100)]
    # 20 new, 400 read, 200 kept for 5 minutes, 100 for an hour and 100 made, by their prices of a million
    million = 20 * 3 + 400 * Decimal("0.30") + 200 * Decimal("3.75") + 100 * 6 + 100 * 15
    assert Decimal(found.facts["cost_usd"]) == million / 1_000_000


def is_first(response: ModelResponse) -> bool:
    return str(response.provider_response_id).endswith("01")


@pytest.mark.parametrize("watcher", ["nobody", "meter", "openinference", "openllmetry"])
def test_an_answer_that_a_fallback_rejects_counts_beside_the_one_that_it_takes(
    installed: Tracing, stub: Stub, instrumented: Any, openllmetry: Any, watcher: str
) -> None:
    provider = OpenAIProvider(base_url=stub.url, api_key="sk-loopback")
    if watcher == "meter":
        meter(provider.client)
    elif watcher == "openinference":
        from openinference.instrumentation.openai import OpenAIInstrumentor

        instrumented(OpenAIInstrumentor(), tracer_provider=installed.provider)
    elif watcher == "openllmetry":
        openllmetry(installed.provider)
    models = (OpenAIChatModel(name, provider=provider) for name in ("gpt-5-mini", "gpt-5-nano"))
    Agent(FallbackModel(*models, fallback_on=is_first), name="helper").run_sync("hi")
    found = installed.bill()
    assert (found.tokens, found.facts["calls"]) == ([(2000, 200)], 2)
    mini, nano = "0.00036", "0.000072"  # 600 new, 400 cached and 100 made, by their prices of a million
    assert Decimal(found.facts["cost_usd"]) == Decimal(mini) + Decimal(nano)
