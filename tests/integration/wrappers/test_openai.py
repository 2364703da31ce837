"""The real client of OpenAI, metered, against a server that speaks its protocol."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("openai")

import openai
from pydantic import BaseModel, ValidationError

from keito.metering import AgentRun, NoUsage, Usage
from keito.metering.wrappers import meter

from .conftest import CHAT, Stub

ASK: Any = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]}
COUNTED: Any = {**ASK, "stream": True, "stream_options": {"include_usage": True}}


class Number(BaseModel):
    number: int


@pytest.fixture
def client(stub: Stub) -> Iterator[Any]:
    with openai.OpenAI(api_key="k", base_url=f"{stub.url}/v1", max_retries=0) as client:
        yield meter(client)


def asynchronous(stub: Stub, use: Any) -> Any:
    """What `use` answers for an asynchronous client."""

    async def main() -> Any:
        async with openai.AsyncOpenAI(api_key="k", base_url=f"{stub.url}/v1", max_retries=0) as client:
            return await use(meter(client))

    return asyncio.run(main())


def test_a_chat(client: Any, stub: Stub, only: Any) -> None:
    answer = client.chat.completions.create(**ASK)
    assert type(answer).__name__ == "ChatCompletion"
    call = only(
        CHAT,
        provider="openai",
        requested_model="gpt-5-mini",
        served_model="gpt-5-mini-2025-08-07",
        tier="default",
        response_id=answer.id,
        operation="chat",
        no_usage=None,
        error=None,
        partial=False,
    )
    assert call.started_at <= call.ended_at
    assert stub.bodies == [ASK]


def test_an_asynchronous_chat(stub: Stub, only: Any) -> None:
    answer = asynchronous(stub, lambda client: client.chat.completions.create(**ASK))
    only(CHAT, response_id=answer.id)


def test_a_text_completion(client: Any, only: Any) -> None:
    client.completions.create(model="gpt-3.5-turbo-instruct", prompt="hi")
    only(Usage(5, 2), operation="text_completion")


def test_a_response(client: Any, only: Any) -> None:
    answer = client.responses.create(model="gpt-5", input="hi")
    only(CHAT, response_id=answer.id, tier="flex", served_model="gpt-5-2025-08-07")


def test_an_asynchronous_response(stub: Stub, only: Any) -> None:
    asynchronous(stub, lambda client: client.responses.create(model="gpt-5", input="hi"))
    only(CHAT, tier="flex")


def test_embeddings_have_input_only(client: Any, only: Any) -> None:
    answer = client.embeddings.create(model="text-embedding-3-small", input="hi")
    assert answer.data[0].embedding == [0.5, 1.0]  # decoded by the client, as without metering
    only(Usage(8), operation="embeddings", served_model="text-embedding-3-small", response_id=None)


def test_two_embeddings_are_two_calls_though_they_have_no_ids(client: Any, run: AgentRun) -> None:
    for _ in range(2):
        client.embeddings.create(model="text-embedding-3-small", input="hi")
    assert len(run.calls) == 2


def test_a_parsed_chat(client: Any, only: Any) -> None:
    answer = client.chat.completions.parse(**ASK, response_format=Number)
    assert answer.choices[0].message.parsed == Number(number=7)
    only(CHAT, response_id=answer.id)


def test_an_answer_that_does_not_parse_is_charged_for(client: Any, stub: Stub, only: Any) -> None:
    stub.text = "seven"
    with pytest.raises(ValidationError):
        client.chat.completions.parse(**ASK, response_format=Number)
    only(CHAT, error=None)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_raw_answer_is_read_once(stub: Stub, client: Any, only: Any, colour: str) -> None:
    if colour == "sync":
        raw = client.chat.completions.with_raw_response.create(**ASK)
    else:
        raw = asynchronous(stub, lambda client: client.chat.completions.with_raw_response.create(**ASK))
    assert raw.headers["content-type"] == "application/json"
    only(CHAT, response_id=raw.parse().id)
    assert raw.parse() is raw.parse()


def test_a_raw_answer_with_an_unread_body_is_metered_when_it_is_parsed(client: Any, only: Any, run: AgentRun) -> None:
    with client.chat.completions.with_streaming_response.create(**ASK) as raw:
        assert run.calls == ()
        answer = raw.parse()
    only(CHAT, response_id=answer.id)


def test_the_same_asynchronously(stub: Stub, only: Any) -> None:
    async def use(client: Any) -> Any:
        async with client.chat.completions.with_streaming_response.create(**ASK) as raw:
            return await raw.parse()

    only(CHAT, response_id=asynchronous(stub, use).id)


def test_an_unread_body_that_nobody_parses_has_an_unknown_cost(client: Any, only: Any) -> None:
    with client.chat.completions.with_streaming_response.create(**ASK) as raw:
        assert b"chatcmpl" in raw.read()
    del raw
    only(None, no_usage=NoUsage.NOT_REPORTED)


@pytest.mark.parametrize("name", ["with_options", "copy"])
def test_derived_clients_are_metered(client: Any, only: Any, name: str) -> None:
    derived = getattr(client, name)(timeout=20)
    assert (derived.timeout, type(derived)) == (20, type(client))
    derived.chat.completions.create(**ASK)
    only(CHAT)


def test_resources_that_were_taken_before_are_metered(stub: Stub, only: Any) -> None:
    with openai.OpenAI(api_key="k", base_url=f"{stub.url}/v1") as client:
        chats = client.chat.completions
        meter(client)
        chats.create(**ASK)
    only(CHAT)


def test_a_failed_request_costs_nothing(client: Any, stub: Stub, only: Any) -> None:
    stub.status = 500
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(**ASK)
    call = only(None, no_usage=NoUsage.FAILED, error="InternalServerError")
    assert not call.chargeable


def test_retries_of_the_client_are_one_call(stub: Stub, only: Any) -> None:
    stub.status = 500
    with openai.OpenAI(api_key="k", base_url=f"{stub.url}/v1", max_retries=1) as client:
        meter(client)._sleep_for_retry = lambda **_: None
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(**ASK)
    assert len(stub.bodies) == 2
    only(None, no_usage=NoUsage.FAILED)


def test_a_server_that_is_not_there_costs_nothing(only: Any) -> None:
    with (
        openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1", max_retries=0) as client,
        pytest.raises(openai.APIConnectionError),
    ):
        meter(client).chat.completions.create(**ASK)
    only(None, no_usage=NoUsage.FAILED, error="APIConnectionError")


def test_who_waits_too_long_may_be_charged(client: Any, stub: Stub, only: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def time_out(*args: Any, **kwargs: Any) -> Any:
        raise openai.APITimeoutError(request=None)

    monkeypatch.setattr(type(client)._keito_class.__mro__[1], "request", time_out)
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(**ASK)
    only(None, no_usage=NoUsage.ABORTED, error="APITimeoutError")


def test_an_answer_without_usage_is_unknown_and_not_free(client: Any, stub: Stub, only: Any) -> None:
    stub.usage = False
    client.chat.completions.create(**ASK)
    only(None, no_usage=NoUsage.NOT_REPORTED)


def test_other_endpoints_pass_as_they_are(client: Any, run: AgentRun) -> None:
    with pytest.raises(openai.APIError):
        client.models.list()
    assert run.calls == ()


@pytest.mark.parametrize(
    ("url", "given", "provider"),
    [
        ("https://api.openai.com/v1", None, "openai"),
        ("https://openrouter.ai/api/v1", None, "openrouter"),
        ("https://x.openai.azure.com/openai/v1", None, "azure"),
        ("http://127.0.0.1:9/v1", None, "openai"),
        ("http://127.0.0.1:9/v1", "openrouter", "openrouter"),
    ],
)
def test_the_provider_is_who_answers(only: Any, url: str, given: Any, provider: str) -> None:
    http = pytest.importorskip("httpx2" if openai.VERSION >= "3" else "httpx")
    answer = {"id": "x", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.5}}
    transport = http.MockTransport(lambda request: http.Response(200, json=answer))
    with http.Client(transport=transport) as inner:
        client = meter(openai.OpenAI(api_key="k", base_url=url, http_client=inner), provider=given)
        client.with_options(timeout=3).chat.completions.create(**ASK)
    call = only(provider=provider)
    assert (call.reported_cost is not None) is (provider == "openrouter")


def test_azure(stub: Stub, only: Any) -> None:
    with openai.AzureOpenAI(api_key="k", azure_endpoint=stub.url, api_version="2025-01-01", max_retries=0) as client:
        meter(client, provider="azure").chat.completions.create(**ASK)
    only(CHAT, provider="azure", requested_model="gpt-5-mini")
