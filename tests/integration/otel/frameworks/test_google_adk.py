"""Google's Agent Development Kit, which emits spans by itself, also in its older format."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.adk.agents import LlmAgent
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.telemetry import tracing as telemetry
from google.adk.tools.agent_tool import AgentTool
from google.genai import types

from keito.billing import Outcome
from keito.metering import log_outcome
from tests.integration.otel.conftest import Tracing

USAGE = types.GenerateContentResponseUsageMetadata(
    prompt_token_count=1000,
    candidates_token_count=40,
    thoughts_token_count=60,
    cached_content_token_count=400,
    total_token_count=1100,
)


class Gemini(BaseLlm):
    """A model that answers by itself: it calls each tool once. With a stream it tells its usage in every piece."""

    fails: bool = False

    async def generate_content_async(self, llm_request: Any, stream: bool = False) -> AsyncIterator[LlmResponse]:
        if self.fails:
            raise ValueError("no")
        called = [part for content in llm_request.contents for part in content.parts if part.function_call]
        tools = list(llm_request.tools_dict)[len(called) :]
        part = types.Part.from_function_call(name=tools[0], args={"request": "x"}) if tools else types.Part(text="ok")
        for partial in (True, False) if stream else (False,):
            content = types.Content(role="model", parts=[types.Part(text="o") if partial else part])
            yield LlmResponse(content=content, usage_metadata=USAGE, partial=partial)


@pytest.fixture(params=["", "1"], ids=["today's format", "the older format"])
def tracing(traced: Any, monkeypatch: pytest.MonkeyPatch, request: Any) -> Tracing:
    tracing: Tracing = traced()
    monkeypatch.setenv("ADK_TELEMETRY_SCHEMA_VERSION_OPT_IN", request.param)
    monkeypatch.setattr(telemetry.tracer, "_real_tracer", tracing.tracer("gcp.vertex.agent"))
    return tracing


def close_ticket(request: str) -> str:
    """Close a ticket."""
    assert log_outcome(Outcome("ticket_resolved", 0.99))
    return request


def helper(name: str = "helper", **options: Any) -> LlmAgent:
    return LlmAgent(name=name, model=Gemini(model="gemini-2.5-flash"), **options)


async def run(agent: LlmAgent, session: str = "chat-77", **config: Any) -> None:
    from google.adk.agents.run_config import RunConfig

    runner = InMemoryRunner(agent, app_name="support")
    await runner.session_service.create_session(app_name="support", user_id="u", session_id=session)
    message = types.Content(role="user", parts=[types.Part(text="hi")])
    async for _ in runner.run_async(
        user_id="u", session_id=session, new_message=message, run_config=RunConfig(**config)
    ):
        pass


def test_a_run_with_a_tool_is_billed_once(tracing: Tracing) -> None:
    asyncio.run(run(helper(tools=[close_ticket])))
    found = tracing.bill()
    (time,), (_,), (expense,) = found.time, found.outcomes, found.expenses
    assert (found.tokens, found.facts["calls"], expense.total_cost) == ([(2000, 200)], 2, 0.000884)
    assert (found.facts["cache_read_tokens"], found.facts["reasoning_tokens"]) == (800, 120)
    assert time.metadata["agent"] == {"id": "helper", "framework": "google-adk"}
    assert time.metadata["session_id"] == "chat-77"


def test_a_stream_counts_once(tracing: Tracing) -> None:
    from google.adk.agents.run_config import StreamingMode

    asyncio.run(run(helper(), streaming_mode=StreamingMode.SSE))
    found = tracing.bill()
    assert (found.tokens, found.facts["calls"]) == ([(1000, 100)], 1)


def test_an_agent_that_another_one_calls_is_a_part_of_its_run(tracing: Tracing) -> None:
    asyncio.run(run(helper("boss", tools=[AgentTool(helper("inner"))])))
    found = tracing.bill()
    assert (found.tokens, found.facts["calls"], len(found.expenses)) == ([(3000, 300)], 3, 1)
    assert found.time[0].metadata["agent"]["id"] == "boss"


def test_agents_that_run_at_the_same_time_are_runs_of_their_own(tracing: Tracing) -> None:
    async def main() -> None:
        await asyncio.gather(*(run(helper(), f"chat-{number}") for number in range(3)))

    asyncio.run(main())
    found = tracing.bill()
    assert found.tokens == [(1000, 100)] * 3
    assert {entry.metadata["session_id"] for entry in found.time} == {"chat-0", "chat-1", "chat-2"}


def test_a_call_that_fails_costs_nothing(tracing: Tracing) -> None:
    agent = helper()
    agent.model.fails = True  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="no"):
        asyncio.run(run(agent))
    found = tracing.bill()
    assert (found.facts["status"], found.facts["failed_calls"], found.expenses) == ("failed", 1, [])
