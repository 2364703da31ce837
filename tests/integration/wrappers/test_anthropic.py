"""The real client of Anthropic, metered, against a server that speaks its protocol."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("anthropic")

import anthropic

from keito.metering import NoUsage
from keito.metering.wrappers import meter
from keito.pricing import price

from .conftest import MESSAGE, Stub

ASK: Any = {"model": "claude-test", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def client(stub: Stub) -> Iterator[Any]:
    with anthropic.Anthropic(api_key="k", base_url=stub.url, max_retries=0) as client:
        yield meter(client)


def asynchronous(stub: Stub, use: Any) -> Any:
    async def main() -> Any:
        async with anthropic.AsyncAnthropic(api_key="k", base_url=stub.url, max_retries=0) as client:
            return await use(meter(client))

    return asyncio.run(main())


def test_a_message(client: Any, stub: Stub, only: Any) -> None:
    answer = client.messages.create(**ASK)
    assert type(answer).__name__ == "Message"
    only(
        MESSAGE,
        provider="anthropic",
        requested_model="claude-test",
        served_model="claude-test-20250929",
        tier="standard",
        response_id=answer.id,
    )
    assert stub.bodies == [ASK]


def test_an_asynchronous_message(stub: Stub, only: Any) -> None:
    answer = asynchronous(stub, lambda client: client.messages.create(**ASK))
    only(MESSAGE, response_id=answer.id)


def test_a_beta_message(client: Any, only: Any) -> None:
    client.beta.messages.create(**ASK)
    only(MESSAGE)


def test_a_derived_client(client: Any, only: Any) -> None:
    client.with_options(timeout=20).messages.create(**ASK)
    only(MESSAGE)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_raw_message(client: Any, stub: Stub, only: Any, colour: str) -> None:
    async def use_async(client: Any) -> Any:
        raw = await client.messages.with_raw_response.create(**ASK)
        parsed = raw.parse()
        return await parsed if asyncio.iscoroutine(parsed) else parsed

    def use() -> Any:
        return client.messages.with_raw_response.create(**ASK).parse()

    answer = use() if colour == "sync" else asynchronous(stub, use_async)
    only(MESSAGE, response_id=answer.id)


def test_a_stream(client: Any, only: Any) -> None:
    events = list(client.messages.create(**ASK, stream=True))
    assert [events[0].type, events[-1].type] == ["message_start", "message_stop"]
    only(MESSAGE, response_id=events[0].message.id, tier="standard", partial=False)


def test_an_asynchronous_stream(stub: Stub, only: Any) -> None:
    async def use(client: Any) -> Any:
        return [event.type async for event in await client.messages.create(**ASK, stream=True)]

    assert asynchronous(stub, use)[-1] == "message_stop"
    only(MESSAGE)


def test_the_stream_helper(client: Any, only: Any) -> None:
    with client.messages.stream(**ASK) as stream:
        assert "".join(stream.text_stream) == "aaa"
        answer = stream.get_final_message()
    only(MESSAGE, response_id=answer.id)


def test_the_asynchronous_stream_helper(stub: Stub, only: Any) -> None:
    async def use(client: Any) -> Any:
        async with client.messages.stream(**ASK) as stream:
            return await stream.get_final_message()

    only(MESSAGE, response_id=asynchronous(stub, use).id)


def test_a_stream_that_is_left_early_is_recorded_as_far_as_it_was_counted(client: Any, only: Any) -> None:
    with client.messages.stream(**ASK) as stream:
        next(iter(stream))
    call = only(no_usage=None, partial=True)
    assert (call.usage.input_tokens, call.usage.output_tokens) == (720, 1)


def test_the_same_asynchronously(stub: Stub, only: Any) -> None:
    async def use(client: Any) -> None:
        async with client.messages.stream(**ASK) as stream:
            async for _ in stream:
                break

    asynchronous(stub, use)
    assert only(partial=True).usage.input_tokens == 720


def test_a_stream_that_breaks_is_recorded_as_far_as_it_was_counted(client: Any, stub: Stub, only: Any) -> None:
    stub.break_after = 3
    with pytest.raises(Exception, match=r"(?i)peer closed|connection") as caught:
        list(client.messages.create(**ASK, stream=True))
    call = only(no_usage=None, partial=True, error=type(caught.value).__name__)
    assert call.usage.input_tokens == 720


def test_a_failed_request_costs_nothing(client: Any, stub: Stub, only: Any) -> None:
    stub.status = 529
    with pytest.raises(anthropic.APIStatusError):
        client.messages.create(**ASK)
    only(None, no_usage=NoUsage.FAILED)


@pytest.mark.parametrize(
    ("region", "tier", "reason"),
    [
        ("global", "standard", None),
        ("us-east5", "us-east5", "tier without a rate"),
        ("eu", "eu", "tier without a rate"),
    ],
)
def test_vertex_is_not_priced_in_an_area_where_it_is_dearer(only: Any, region: str, tier: str, reason: Any) -> None:
    pytest.importorskip("genai_prices")
    answer = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "claude-haiku-4-5-20251001",
        "usage": {"input_tokens": 9, "output_tokens": 1, "service_tier": "standard"},
    }
    http = pytest.importorskip(anthropic.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
    transport = http.MockTransport(lambda request: http.Response(200, json=answer))
    with http.Client(transport=transport) as inner:
        client = anthropic.AnthropicVertex(region=region, project_id="p", access_token="t", http_client=inner)
        meter(client).messages.create(**{**ASK, "model": "claude-haiku-4-5@20251001"})
    call = only(provider="google_vertexai", tier=tier)
    assert price(call).reason == reason
