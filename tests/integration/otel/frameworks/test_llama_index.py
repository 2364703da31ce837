"""LlamaIndex, through OpenInference's instrumentation and through OpenLLMetry's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Optional

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.instrumentation import get_dispatcher
from llama_index.llms.openai import OpenAI
from openai import BadRequestError

from keito.billing import Outcome
from keito.metering import log_outcome
from tests.integration.otel.conftest import Tracing
from tests.integration.providers import Stub


@pytest.fixture(autouse=True)
def only_these_handlers() -> Iterator[None]:
    """OpenLLMetry does not take its handlers back."""
    dispatcher = get_dispatcher()
    kept = list(dispatcher.span_handlers), list(dispatcher.event_handlers)
    yield
    dispatcher.span_handlers[:], dispatcher.event_handlers[:] = kept


@pytest.fixture(params=["OpenInference", "OpenLLMetry"])
def instrumented_tracing(tracing: Tracing, instrumented: Any, openllmetry: Any, request: Any) -> Tracing:
    if request.param == "OpenInference":
        from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

        instrumented(LlamaIndexInstrumentor(), tracer_provider=tracing.provider)
    else:
        from opentelemetry.instrumentation.llamaindex import LlamaIndexInstrumentor as OpenLLMetrys

        openllmetry(tracing.provider)
        instrumented(OpenLLMetrys(), tracer_provider=tracing.provider)
    return tracing


def close_ticket(number: int) -> str:
    """Close a ticket."""
    assert log_outcome(Outcome("ticket_resolved", 0.99))
    return f"{number} is closed"


async def run(stub: Stub, asked: Optional[dict[str, Any]] = None, **options: Any) -> None:
    model = OpenAI("gpt-5-mini", api_base=stub.url, api_key="sk-loopback", max_retries=0, additional_kwargs=asked)
    await FunctionAgent(name="helper", description="d", llm=model, tools=[close_ticket], **options).run("hi")


def test_a_run_with_a_tool_is_billed_once(instrumented_tracing: Tracing, stub: Stub) -> None:
    stub.turns = [[("close_ticket", {"number": 7})]]
    asyncio.run(run(stub, streaming=False))
    found = instrumented_tracing.bill()
    (_,), (_,), (expense,) = found.time, found.outcomes, found.expenses
    assert (found.tokens, found.facts["calls"], expense.total_cost) == ([(2000, 200)], 2, 0.00072)
    assert (found.facts["cache_read_tokens"], found.facts["reasoning_tokens"]) == (800, 120)
    assert "unpriced" not in found.facts


def test_agents_that_run_at_the_same_time_are_runs_of_their_own(instrumented_tracing: Tracing, stub: Stub) -> None:
    async def main() -> None:
        await asyncio.gather(*(run(stub, streaming=False) for _ in range(3)))

    asyncio.run(main())
    assert instrumented_tracing.bill().tokens == [(1000, 100)] * 3


def test_a_stream_without_usage_is_flagged_once(tracing: Tracing, stub: Stub, instrumented: Any) -> None:
    from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

    instrumented(LlamaIndexInstrumentor(), tracer_provider=tracing.provider)
    asyncio.run(run(stub, streaming=True))  # LlamaIndex does not ask OpenAI for the usage of streams
    assert tracing.bill().facts["unpriced"] == [{"model": "gpt-5-mini", "reason": "not reported", "calls": 1}]


def test_a_call_that_fails_costs_nothing(tracing: Tracing, stub: Stub, instrumented: Any) -> None:
    from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

    instrumented(LlamaIndexInstrumentor(), tracer_provider=tracing.provider)
    stub.status = 400
    with pytest.raises(BadRequestError):
        asyncio.run(run(stub, streaming=False))
    found = tracing.bill()
    assert (found.facts["status"], found.facts["failed_calls"], found.expenses) == ("failed", 1, [])


@pytest.mark.parametrize("of_whom", ["OpenInference", "OpenLLMetry"])
def test_a_stream_of_a_client_that_has_an_instrumentation_of_its_own_counts_once(
    tracing: Tracing, stub: Stub, instrumented: Any, openllmetry: Any, of_whom: str
) -> None:
    from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    instrumented(LlamaIndexInstrumentor(), tracer_provider=tracing.provider)
    if of_whom == "OpenInference":
        instrumented(OpenAIInstrumentor(), tracer_provider=tracing.provider)
    else:
        openllmetry(tracing.provider)
    asyncio.run(run(stub, {"stream_options": {"include_usage": True}}, streaming=True))
    found = tracing.bill()
    assert (found.tokens, found.facts["calls"]) == ([(1000, 100)], 1)
