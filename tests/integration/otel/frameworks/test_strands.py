"""Strands Agents, which emits spans by itself and names itself where the provider belongs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from openai import BadRequestError
from strands import Agent, tool
from strands.models.openai import OpenAIModel
from strands.telemetry import tracer as telemetry

from keito.billing import Outcome
from keito.metering import log_outcome
from tests.integration.otel.conftest import Tracing
from tests.integration.providers import Stub


@pytest.fixture
def tracing(traced: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracing]:
    """A tracer provider that Strands emits spans to: it takes the global one, once."""
    tracing: Tracing = traced()
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: tracing.provider)
    monkeypatch.setattr(telemetry, "_tracer_instance", None)
    yield tracing
    monkeypatch.setattr(telemetry, "_tracer_instance", None)


@tool
def close_ticket(number: int) -> str:
    """Close a ticket."""
    assert log_outcome(Outcome("ticket_resolved", 0.99))
    return f"{number} is closed"


def helper(stub: Stub, name: str = "helper", **options: Any) -> Agent:
    model = OpenAIModel(client_args={"base_url": stub.url, "api_key": "sk-loopback"}, model_id="gpt-5-mini")
    return Agent(model=model, name=name, callback_handler=None, **options)


def test_a_run_with_a_tool_is_billed_once_and_has_a_price(tracing: Tracing, stub: Stub) -> None:
    stub.turns = [[("close_ticket", {"number": 7})]]
    helper(stub, tools=[close_ticket], trace_attributes={"session.id": "chat-77"})("hi")
    found = tracing.bill()
    (time,), (_,), (expense,) = found.time, found.outcomes, found.expenses
    assert (time.notes, found.tokens, found.facts["calls"]) == ("invoke_agent helper", [(2000, 200)], 2)
    assert (found.facts["cache_read_tokens"], found.facts["cost_usd"], expense.total_cost) == (800, "0.00072", 0.00072)
    assert time.metadata["agent"] == {"id": "helper", "framework": "strands-agents"}
    assert time.metadata["session_id"] == "chat-77"


def test_streams_at_the_same_time_are_runs_of_their_own(tracing: Tracing, stub: Stub) -> None:
    async def one(name: str) -> None:
        async for _ in helper(stub, name).stream_async("hi"):
            pass

    async def main() -> None:
        await asyncio.gather(*(one(f"helper {number}") for number in range(3)))

    asyncio.run(main())
    found = tracing.bill()
    assert found.tokens == [(1000, 100)] * 3
    assert {entry.metadata["agent"]["id"] for entry in found.time} == {"helper 0", "helper 1", "helper 2"}


def test_a_call_that_fails_costs_nothing(tracing: Tracing, stub: Stub) -> None:
    stub.status = 400
    with pytest.raises(BadRequestError):
        helper(stub)("hi")
    found = tracing.bill()
    assert (found.facts["status"], found.facts["failed_calls"], found.expenses) == ("failed", 1, [])


def test_a_client_that_has_an_instrumentation_of_its_own_counts_once(
    tracing: Tracing, stub: Stub, openllmetry: Any
) -> None:
    openllmetry(tracing.provider)
    helper(stub)("hi")
    found = tracing.bill()
    assert (found.tokens, found.facts["calls"]) == ([(1000, 100)], 1)
    assert found.time[0].metadata["model"]["provider"] == "openai"
