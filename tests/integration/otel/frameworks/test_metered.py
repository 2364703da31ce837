"""A metered client whose calls an instrumentation reports as well: by spans below the client, or around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from keito.billing import AgentBilling
from keito.metering import meter
from tests.integration.otel.conftest import AGENT, Tracing
from tests.integration.providers import Stub

ASK: Any = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]}
STREAM: Any = {**ASK, "stream": True, "stream_options": {"include_usage": True}}

Use = Callable[[Any], Any]


def chat(client: Any) -> None:
    client.chat.completions.create(**ASK)


def stream(client: Any) -> None:
    assert len(list(client.chat.completions.create(**STREAM))) > 1


def raw(client: Any) -> None:
    assert client.chat.completions.with_raw_response.create(**ASK).parse().id


def response(client: Any) -> None:
    client.responses.create(model="gpt-5-mini", input="hi")


def embed(client: Any) -> None:
    client.embeddings.create(model="text-embedding-3-small", input="hi")


async def achat(client: Any) -> None:
    await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(3)))


async def astream(client: Any) -> None:
    assert len([event async for event in await client.chat.completions.create(**STREAM)]) > 1


@pytest.fixture(params=["OpenInference", "OpenLLMetry"])
def observe(request: pytest.FixtureRequest, instrumented: Any) -> Any:
    """Has OpenAI's client emit spans into a provider."""
    if request.param == "OpenLLMetry":
        return request.getfixturevalue("openllmetry")
    return lambda provider: instrumented(OpenAIInstrumentor(), tracer_provider=provider)


async def use_async(way: Use, stub: Stub) -> None:
    async with meter(openai.AsyncOpenAI(base_url=stub.url, api_key="sk-loopback")) as client:
        await way(client)


def use(way: Use, stub: Stub) -> None:
    if asyncio.iscoroutinefunction(way):
        asyncio.run(use_async(way, stub))
    else:
        with meter(openai.OpenAI(base_url=stub.url, api_key="sk-loopback")) as client:
            way(client)


@pytest.mark.parametrize(
    ("way", "tokens", "calls"),
    [
        (chat, (1000, 100), 1),
        (stream, (1000, 100), 1),
        (raw, (1000, 100), 1),
        (response, (1000, 100), 1),
        (embed, (8, 0), 1),
        (achat, (3000, 300), 3),
        (astream, (1000, 100), 1),
    ],
)
def test_a_metered_call_counts_once_beside_its_span(
    way: Use, tokens: tuple[int, int], calls: int, stub: Stub, tracing: Tracing, observe: Any
) -> None:
    observe(tracing.provider)
    with tracing.tracer().start_as_current_span("agent", attributes=AGENT):
        use(way, stub)
    bill = tracing.bill()
    assert bill.tokens == [tokens]
    assert bill.facts["calls"] == calls
    assert "unpriced" not in bill.facts


@pytest.mark.parametrize("way", [chat, stream, embed, astream])
def test_a_metered_call_counts_where_its_span_goes_to_somebody_else(
    way: Use, stub: Stub, billing: AgentBilling, observe: Any
) -> None:
    observe(TracerProvider(shutdown_on_exit=False))
    with billing.run("Ticket 4824") as run:
        use(way, stub)
    (call,) = run.calls
    assert call.usage is not None
    assert call.usage.input_tokens == (8 if way is embed else 1000)
