"""Streams of OpenAI's client, however they end and wherever they are read."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("openai")

import openai

from keito.metering import AgentRun, NoUsage
from keito.metering.wrappers import meter

from .conftest import CHAT, Stub

ASK: Any = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]}
STREAM: Any = {**ASK, "stream": True}
COUNTED: Any = {**STREAM, "stream_options": {"include_usage": True}}
ABORTED: Any = {"no_usage": NoUsage.ABORTED, "error": None, "served_model": "gpt-5-mini-2025-08-07"}


@pytest.fixture
def client(stub: Stub) -> Iterator[Any]:
    with openai.OpenAI(api_key="k", base_url=f"{stub.url}/v1", max_retries=0) as client:
        yield meter(client)


def asynchronous(stub: Stub, use: Any) -> Any:
    async def main() -> Any:
        async with openai.AsyncOpenAI(api_key="k", base_url=f"{stub.url}/v1", max_retries=0) as client:
            return await use(meter(client))

    return asyncio.run(main())


def test_a_chat_with_usage(client: Any, stub: Stub, only: Any) -> None:
    stream = client.chat.completions.create(**COUNTED)
    assert isinstance(stream, openai.Stream)
    chunks = list(stream)
    assert [chunk.usage is not None for chunk in chunks] == [False] * 5 + [True]
    only(CHAT, response_id=chunks[0].id, tier="default", partial=False)
    assert stub.bodies == [COUNTED]


def test_one_by_one(client: Any, only: Any) -> None:
    stream = client.chat.completions.create(**COUNTED)
    for _ in range(6):
        next(stream)
    only(CHAT)
    assert next(stream, None) is None


def test_an_asynchronous_chat(stub: Stub, only: Any) -> None:
    async def use(client: Any) -> int:
        stream = await client.chat.completions.create(**COUNTED)
        assert isinstance(stream, openai.AsyncStream)
        return len([chunk async for chunk in stream])

    assert asynchronous(stub, use) == 6
    only(CHAT)


def test_one_by_one_asynchronously(stub: Stub, only: Any) -> None:
    async def use(client: Any) -> int:
        stream = await client.chat.completions.create(**COUNTED)
        count = 0
        while await anext_or_none(stream) is not None:
            count += 1
        return count

    async def anext_or_none(stream: Any) -> Any:
        try:
            return await stream.__anext__()
        except StopAsyncIteration:
            return None

    assert asynchronous(stub, use) == 6
    only(CHAT)


def test_without_usage_the_cost_is_unknown_and_one_warning_says_what_to_do(
    client: Any, stub: Stub, run: AgentRun, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        list(client.chat.completions.create(**STREAM))
    assert [call.no_usage for call in run.calls] == [NoUsage.NOT_REPORTED] * 2
    assert len([line for line in caplog.messages if 'stream_options={"include_usage": True}' in line]) == 1
    assert stub.bodies == [STREAM, STREAM]


def test_the_chat_helper(client: Any, only: Any) -> None:
    with client.chat.completions.stream(**ASK, stream_options={"include_usage": True}) as stream:
        stream.until_done()
        answer = stream.get_final_completion()
    only(CHAT, response_id=answer.id)


def test_the_chat_helper_left_early(client: Any, only: Any) -> None:
    with client.chat.completions.stream(**ASK) as stream:
        next(iter(stream))
    only(None, **ABORTED)


def test_responses(client: Any, only: Any) -> None:
    events = list(client.responses.create(model="gpt-5", input="hi", stream=True))
    assert events[-1].type == "response.completed"
    only(CHAT, response_id=events[-1].response.id, tier="flex")


def test_the_responses_helper(client: Any, only: Any) -> None:
    with client.responses.stream(model="gpt-5", input="hi") as stream:
        stream.until_done()
        answer = stream.get_final_response()
    only(CHAT, response_id=answer.id)


def test_the_responses_helper_asynchronously(stub: Stub, only: Any) -> None:
    async def use(client: Any) -> Any:
        async with client.responses.stream(model="gpt-5", input="hi") as stream:
            await stream.until_done()

    asynchronous(stub, use)
    only(CHAT)


def test_responses_left_early_are_known_by_their_id(client: Any, stub: Stub, only: Any) -> None:
    stream = client.responses.create(model="gpt-5", input="hi", stream=True)
    next(stream)
    stream.close()
    only(None, no_usage=NoUsage.ABORTED, response_id=stub.answered[0])


def test_a_raw_stream(client: Any, only: Any) -> None:
    raw = client.chat.completions.with_raw_response.create(**COUNTED)
    assert raw.headers["content-type"] == "text/event-stream"
    assert len(list(raw.parse())) == 6
    only(CHAT)


def test_a_stream_that_is_closed(client: Any, only: Any) -> None:
    stream = client.chat.completions.create(**COUNTED)
    next(stream)
    stream.close()
    only(None, **ABORTED)


def test_a_stream_in_a_with_block(client: Any, only: Any) -> None:
    with client.chat.completions.create(**COUNTED) as stream:
        next(stream)
    only(None, **ABORTED)


def test_an_asynchronous_stream_that_is_closed(stub: Stub, only: Any) -> None:
    async def use(client: Any) -> None:
        async with await client.chat.completions.create(**COUNTED) as stream:
            async for _ in stream:
                break

    asynchronous(stub, use)
    only(None, **ABORTED)


def test_who_breaks_out_of_a_loop_may_go_on_with_another(client: Any, only: Any) -> None:
    stream = client.chat.completions.create(**COUNTED)
    for _ in stream:
        break
    assert len(list(stream)) == 5
    only(CHAT)


def test_a_stream_that_is_dropped(client: Any, only: Any, run: AgentRun) -> None:
    for _ in client.chat.completions.create(**COUNTED):
        break
    gc.collect()
    only(None, **ABORTED)


def test_a_stream_that_is_dropped_before_it_was_read(client: Any, only: Any) -> None:
    client.chat.completions.create(**COUNTED)
    gc.collect()
    only(None, no_usage=NoUsage.ABORTED)


def test_a_stream_whose_connection_breaks(client: Any, stub: Stub, only: Any) -> None:
    stub.break_after = 3
    with pytest.raises(Exception, match=r"(?i)peer closed|connection") as caught:
        list(client.chat.completions.create(**COUNTED))
    only(None, no_usage=NoUsage.ABORTED, error=type(caught.value).__name__)


def test_a_task_that_is_cancelled_in_a_stream(stub: Stub, only: Any) -> None:
    stub.gate = threading.Event()

    async def use(client: Any) -> None:
        first = asyncio.Event()

        async def read() -> None:
            async for _ in await client.chat.completions.create(**COUNTED):
                first.set()

        task = asyncio.create_task(read())
        await first.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asynchronous(stub, use)
    only(None, no_usage=NoUsage.ABORTED, error="CancelledError")


def test_the_run_in_which_the_call_started_gets_it(client: Any) -> None:
    with AgentRun("asks") as asks:
        stream = client.chat.completions.create(**COUNTED)
        with AgentRun("reads") as reads:
            thread = threading.Thread(target=list, args=(stream,))
            thread.start()
            thread.join()
    assert [call.usage for call in asks.calls] == [CHAT]
    assert reads.calls == ()


def test_running_totals_with_every_chunk_are_final_only_at_the_end(client: Any, stub: Stub, run: AgentRun) -> None:
    from ..providers import STREAMED, chat_events

    def totals(stub: Stub, body: Any) -> Iterator[Any]:
        for number, event in enumerate(chat_events(stub, body)):
            usage = {"prompt_tokens": 5, "completion_tokens": number, "total_tokens": 5 + number}
            yield event if isinstance(event, str) else {**event, "usage": usage}

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STREAMED, "chat/completions", totals)
        list(client.chat.completions.create(**STREAM))
        stream = client.chat.completions.create(**STREAM)
        next(stream), next(stream)
        stream.close()
    whole, cut = run.calls
    assert (whole.usage.output_tokens, whole.partial) == (4, False)
    assert (cut.usage.output_tokens, cut.partial) == (1, True)
