"""What a program does while a model call of LangChain's has not ended, and that is no part of that call."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

pytest.importorskip("langchain_openai")
pytest.importorskip("genai_prices")

import openai
from keito_langchain import KeitoCallbackHandler
from keito_langchain.closing import watch_of
from keito_langchain.table import table_of
from langchain_openai import ChatOpenAI

from keito.billing import AgentBilling, Budget
from keito.billing.exceeded import KeitoBudgetExceeded
from keito.metering import NoUsage, meter

from ..providers import CHAT, Stub

ASK: Any = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def client(stub: Stub) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=f"{stub.url}/v1", max_retries=0) as client:
        yield meter(client)


@pytest.fixture
def gpt(stub: Stub) -> Iterator[Any]:
    """Makes a model, whose clients may be metered, too."""
    http = openai.DefaultHttpxClient()

    def make(metered: bool = True, **options: Any) -> Any:
        clients: Any = {"http_client": http, "http_async_client": openai.DefaultAsyncHttpxClient(), "max_retries": 0}
        model = ChatOpenAI(model="gpt-5-mini", api_key="k", base_url=f"{stub.url}/v1", **clients, **options)
        if metered:
            meter(model.root_client)
            meter(model.root_async_client)
        return model

    yield make
    http.close()


@pytest.fixture
def hangs(model: Any) -> Any:
    """A model that never answers."""

    class Hangs(model):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            await asyncio.Event().wait()

    return Hangs()


async def in_the_handler(cancelled: Any, work: Any) -> None:
    try:
        await asyncio.wait_for(cancelled, 0.05)
    except asyncio.TimeoutError:
        await work()


async def after_it(cancelled: Any, work: Any) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(cancelled, 0.05)
    await work()


async def in_a_task(cancelled: Any, work: Any) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(cancelled, 0.05)
    await asyncio.create_task(work())


async def in_the_handler_of_the_same_task(cancelled: Any, work: Any) -> None:
    try:
        async with asyncio.timeout(0.05):
            await cancelled
    except TimeoutError:
        await work()


async def in_the_same_task(cancelled: Any, work: Any) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await cancelled
    await work()


async def in_a_task_of_the_same_task(cancelled: Any, work: Any) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await cancelled
    await asyncio.wait_for(work(), 30)


WAYS = [in_the_handler, after_it, in_a_task]
if sys.version_info >= (3, 11):
    WAYS += [in_the_handler_of_the_same_task, in_the_same_task, in_a_task_of_the_same_task]


@pytest.mark.parametrize("way", WAYS)
def test_what_a_client_does_after_a_cancelled_call_counts_once_and_keeps_to_the_budget(
    hangs: Any, stub: Stub, billing: AgentBilling, keito_client: Any, way: Any
) -> None:
    spends = AgentBilling(billing.policy, keito_client, budget=Budget(max_calls=3, stop=True))
    handler = KeitoCallbackHandler(spends)

    async def work() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=f"{stub.url}/v1", max_retries=0) as raw:
            client = meter(raw)
            await client.chat.completions.create(**ASK)
            stub.status = 500
            with pytest.raises(openai.InternalServerError):
                await client.chat.completions.create(**ASK)
            stub.status = 200
            await client.chat.completions.create(**ASK)
            with pytest.raises(KeitoBudgetExceeded):
                await client.chat.completions.create(**ASK)

    async def main() -> Any:
        async with spends.run("Request") as run:
            await way(hangs.ainvoke("hi", {"callbacks": [handler]}), work)
            watch_of(table_of(spends)).look(0.0)  # what it does hours later
        return run

    run = asyncio.run(asyncio.wait_for(main(), 30))
    assert [(call.usage, call.no_usage) for call in run.calls] == [
        (CHAT, None),
        (None, NoUsage.FAILED),
        (CHAT, None),
        (None, NoUsage.UNFINISHED),
    ]


@pytest.mark.parametrize("metered", [False, True])
def test_a_call_between_the_parts_of_a_stream_is_one_by_itself(
    gpt: Any, client: openai.OpenAI, billing: AgentBilling, handler: KeitoCallbackHandler, metered: bool
) -> None:
    with billing.run("Request") as run:
        for number, _ in enumerate(gpt(metered, stream_usage=True).stream("hi", {"callbacks": [handler]})):
            if number == 1:
                client.chat.completions.create(**ASK)
    assert [call.usage for call in run.calls] == [CHAT, CHAT]
    assert len({call.response_id for call in run.calls}) == 2


@pytest.mark.parametrize("metered", [False, True])
def test_a_call_between_the_parts_of_an_asynchronous_stream_is_one_by_itself(
    gpt: Any, stub: Stub, billing: AgentBilling, handler: KeitoCallbackHandler, metered: bool
) -> None:
    async def main() -> Any:
        model, number = gpt(metered, stream_usage=True), 0
        async with (
            openai.AsyncOpenAI(api_key="k", base_url=f"{stub.url}/v1", max_retries=0) as raw,
            billing.run("Request") as run,
        ):
            async for _ in model.astream("hi", {"callbacks": [handler]}):
                number += 1
                if number == 1:
                    await meter(raw).chat.completions.create(**ASK)
        await model.root_async_client.close()
        return run

    run = asyncio.run(main())
    assert [call.usage for call in run.calls] == [CHAT, CHAT]
    assert len({call.response_id for call in run.calls}) == 2


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
@pytest.mark.parametrize("is_async", [False, True])
def test_a_stream_of_version_3_and_its_client_are_one_call(
    gpt: Any, billing: AgentBilling, handler: KeitoCallbackHandler, is_async: bool
) -> None:
    model = gpt(stream_usage=True)
    if not hasattr(model, "stream_events"):
        pytest.skip("this langchain-core has no streams of version 3")

    async def read() -> None:
        async for _ in await model.astream_events("hi", {"callbacks": [handler]}, version="v3"):
            pass
        await model.root_async_client.close()

    with billing.run("Request") as run:
        if is_async:
            asyncio.run(read())
        else:
            assert list(model.stream_events("hi", {"callbacks": [handler]}, version="v3"))
    (call,) = run.calls
    assert call.usage == CHAT


def test_work_in_the_model_itself_is_a_part_of_the_call(
    model: Any, client: openai.OpenAI, billing: AgentBilling, handler: KeitoCallbackHandler, stub: Stub
) -> None:
    """A model of the program's own, whose client is metered, in a thread that LangChain knows nothing of."""
    import concurrent.futures
    import contextvars

    class Own(model):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                context = contextvars.copy_context()
                pool.submit(context.run, lambda: client.chat.completions.create(**ASK)).result()
            return super()._generate(*args, **kwargs)

    with billing.run("Request") as run:
        Own(served="gpt-5-mini").invoke("hi", {"callbacks": [handler]})
        asyncio.run(Own(served="gpt-5-mini").ainvoke("hi", {"callbacks": [handler]}))
    assert [call.usage for call in run.calls] == [CHAT] * 2
    assert [call.response_id for call in run.calls] == stub.answered


@pytest.mark.parametrize("in_block", [False, True])
def test_a_cancelled_call_is_told_as_soon_as_langchain_lets_go_of_it(
    hangs: Any, billing: AgentBilling, handler: KeitoCallbackHandler, bill: Any, in_block: bool
) -> None:
    async def cancelled() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(hangs.ainvoke("hi", {"callbacks": [handler]}), 0.05)

    async def request() -> None:
        if not in_block:
            await cancelled()
            return
        async with billing.run("Request"):
            await cancelled()

    asyncio.run(request())
    gc.collect()
    assert handler.flush().complete
    told = [row for entry in bill().time for row in entry.metadata["keito"].get("unpriced", [])]
    assert told == [{"model": "gpt-5-mini", "reason": "did not end before its run", "calls": 1}]
    assert handler.open_runs == 0


def test_a_run_whose_id_is_made_anew_for_each_event_is_not_taken_for_forgotten(
    handler: KeitoCallbackHandler, bill: Any
) -> None:
    """Some programs tell the handler of runs that they keep somewhere else."""
    name = uuid4().hex
    handler.on_chain_start(None, {}, run_id=UUID(name), name="Far away")
    handler.flush()
    assert handler.open_runs == 1
    handler.on_chain_end("done", run_id=UUID(name))
    assert bill().statuses == ["completed"]
