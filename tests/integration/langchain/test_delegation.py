"""A model that has another one answer: what the provider was paid for is billed once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoCallbackHandler
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda, RunnableParallel

from keito import Keito
from keito.billing import AgentBilling
from keito.sandbox import SandboxServer

from .conftest import USAGE

OTHER = {"input_tokens": 70, "output_tokens": 7, "total_tokens": 77}


@pytest.fixture
def router(model: Any) -> Any:
    """The class of a model that asks `inner` one after the other, and answers as the last of them."""

    class Router(model):
        inner: Any = ()
        own: Any = None

        def _answer(self, answers: list[Any]) -> ChatResult:
            message = answers[-1] if self.own is None else self.own
            return ChatResult(generations=[ChatGeneration(message=message)])

        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
            return self._answer([one.invoke(messages) for one in self.inner])

        async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
            return self._answer([await one.ainvoke(messages) for one in self.inner])

        def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
            for one in self.inner:
                for chunk in one.stream(messages):
                    yield ChatGenerationChunk(message=chunk)

    return Router


WAYS = [
    lambda chain, config: chain.invoke("hi", config),
    lambda chain, config: list(chain.stream("hi", config)),
    lambda chain, config: asyncio.run(chain.ainvoke("hi", config)),
]


@pytest.mark.parametrize("way", WAYS)
def test_a_model_that_hands_on_the_answer_of_another_is_billed_once(
    model: Any, router: Any, config: Any, bill: Any, way: Any
) -> None:
    way(RunnableLambda(str) | router(inner=[model()]), config)
    found = bill()
    assert (found.tokens, found.cost, found.facts["calls"]) == ([(1000, 100)], ["0.00045"], 1)


def test_a_model_in_a_model_in_a_model_is_billed_once(model: Any, router: Any, config: Any, bill: Any) -> None:
    (RunnableLambda(str) | router(inner=[router(inner=[model()])])).invoke("hi", config)
    assert bill().tokens == [(1000, 100)]


def test_each_account_counts_it_once(
    model: Any, router: Any, handler: KeitoCallbackHandler, billing: AgentBilling, bill: Any
) -> None:
    with (
        SandboxServer() as server,
        Keito(api_key=server.api_key, account_id=server.account_id, base_url=server.url) as client,
    ):
        second = AgentBilling(billing.policy, client, outbox="direct://")
        chain = RunnableLambda(str) | router(inner=[model()])
        chain.invoke("hi", {"callbacks": [handler, KeitoCallbackHandler(second)]})
        (entry,) = client.time_entries.list(source="agent")
    assert bill().tokens == [(1000, 100)]
    assert (entry.metadata or {})["model"]["tokens_in"] == 1000


def test_all_models_that_a_router_asks_are_billed(model: Any, router: Any, config: Any, bill: Any) -> None:
    chain = RunnableLambda(str) | router(inner=[model(usage=OTHER), model()])
    chain.invoke("hi", config)
    assert bill().tokens == [(1070, 107)]


def test_the_sum_of_the_calls_inside_is_no_further_call(model: Any, router: Any, config: Any, bill: Any) -> None:
    both = {"input_tokens": 1070, "output_tokens": 107, "total_tokens": 1177}
    chain = RunnableLambda(str) | router(inner=[model(usage=OTHER), model()], own=AIMessage("ok", usage_metadata=both))
    chain.invoke("hi", config)
    assert bill().tokens == [(1070, 107)]


@pytest.mark.parametrize(
    "own",
    [
        AIMessage("ok", usage_metadata=OTHER, response_metadata={"model_name": "gpt-5-mini"}),
        AIMessage("ok", usage_metadata=OTHER),
    ],
)
def test_a_model_that_asks_a_guard_and_then_its_own_provider_is_billed_for_both(
    model: Any, router: Any, config: Any, bill: Any, own: AIMessage
) -> None:
    (RunnableLambda(str) | router(inner=[model()], own=own)).invoke("hi", config)
    found = bill()
    assert (found.tokens, found.facts["calls"]) == ([(1070, 107)], 2)


def test_two_answers_with_ids_of_their_own_are_two_also_with_equal_tokens(
    model: Any, router: Any, config: Any, bill: Any
) -> None:
    about = {"model_name": "gpt-5-mini", "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT"}
    own = AIMessage("ok", usage_metadata=USAGE, response_metadata=about)
    (RunnableLambda(str) | router(inner=[model()], own=own)).invoke("hi", config)
    assert bill().tokens == [(2000, 200)]


def test_a_text_of_its_own_says_nothing_about_cost(model: Any, router: Any, config: Any, bill: Any) -> None:
    (RunnableLambda(str) | router(inner=[model()], own=AIMessage("edited"))).invoke("hi", config)
    found = bill()
    assert (found.tokens, found.facts["calls"], "unpriced" in found.facts) == ([(1000, 100)], 1, False)


def test_an_own_answer_without_tokens_stays_unknown(model: Any, router: Any, config: Any, bill: Any) -> None:
    own = AIMessage("ok", response_metadata={"model_name": "gpt-5"})
    (RunnableLambda(str) | router(inner=[model()], own=own)).invoke("hi", config)
    (unknown,) = bill().facts["unpriced"]
    assert (unknown["model"], unknown["reason"], unknown["calls"]) == ("gpt-5", "not reported", 1)


def test_an_answer_without_tokens_that_is_handed_on_is_unknown_once(
    model: Any, router: Any, config: Any, bill: Any
) -> None:
    (RunnableLambda(str) | router(inner=[model(usage=None)])).invoke("hi", config)
    (unknown,) = bill().facts["unpriced"]
    assert (unknown["reason"], unknown["calls"]) == ("not reported", 1)


def test_the_message_of_a_call_that_nobody_reported_is_no_answer_of_a_cache(
    model: Any, router: Any, config: Any, bill: Any
) -> None:
    router(inner=[model(usage=None)]).invoke("hi", config)
    facts = bill().facts
    assert ("cached_calls" in facts, facts["unpriced"][0]["reason"]) == (False, "not reported")


def test_one_message_that_a_fake_gives_in_each_run_is_paid_each_time(config: Any, bill: Any) -> None:
    about = {"model_name": "gpt-5-mini", "model_provider": "openai"}
    used = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    fake = FakeMessagesListChatModel(responses=[AIMessage("a", response_metadata={**about, "token_usage": used})])
    for _ in range(3):
        fake.invoke("hi", config)
    assert bill().tokens == [(1000, 100)] * 3


def test_models_that_the_reader_of_a_stream_asks_are_no_part_of_the_stream(model: Any, config: Any, bill: Any) -> None:
    async def work(text: str) -> str:
        parts = model().astream(text)
        await parts.__anext__()
        await asyncio.gather(*(asyncio.create_task(model().ainvoke(text)) for _ in range(3)))
        return "".join([part.content async for part in parts])

    def read(text: str) -> str:
        parts = model().stream(text)
        next(parts)
        for _ in range(3):
            model().invoke(text)
        return "".join(part.content for part in parts)

    asyncio.run(RunnableLambda(work).ainvoke("hi", config))
    RunnableLambda(read).invoke("hi", config)
    assert sorted(bill().tokens) == [(4000, 400), (4000, 400)]


def test_a_stream_without_an_id_does_not_take_that_of_a_model_that_its_reader_asks(
    model: Any, config: Any, bill: Any
) -> None:
    about = {"model_name": "gpt-5-mini", "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT"}
    fake = FakeMessagesListChatModel(responses=[AIMessage("a", usage_metadata=OTHER, response_metadata=about)])

    async def work(text: str) -> str:
        parts = model().astream(text)
        await parts.__anext__()
        await asyncio.create_task(fake.ainvoke(text))
        return "".join([part.content async for part in parts])

    def read(text: str) -> str:
        parts = model().stream(text)
        next(parts)
        fake.invoke(text)
        return "".join(part.content for part in parts)

    asyncio.run(RunnableLambda(work).ainvoke("hi", config))
    RunnableLambda(read).invoke("hi", config)
    assert bill().tokens == [(1070, 107), (1070, 107)]


def test_models_that_answer_at_a_time_in_a_model_are_each_billed_once(
    model: Any, router: Any, config: Any, bill: Any
) -> None:
    class Ensemble(router):
        async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            return self._answer(await asyncio.gather(*(one.ainvoke(messages) for one in self.inner)))

    asyncio.run((RunnableLambda(str) | Ensemble(inner=[model(usage=OTHER), model()])).ainvoke("hi", config))
    assert bill().tokens == [(1070, 107)]


def test_calls_with_one_constant_id_are_several(config: Any, bill: Any) -> None:
    for answer in ("ai-message-1", "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT"):
        message = AIMessage("a", id=answer, usage_metadata=USAGE, response_metadata={"model_name": "gpt-5-mini"})
        fake = FakeMessagesListChatModel(responses=[message])
        RunnableLambda(lambda text, fake=fake: [fake.invoke(text) for _ in range(3)] and text).invoke("hi", config)
    assert bill().tokens == [(3000, 300)] * 2


def test_calls_at_a_time_with_one_constant_id_are_several(config: Any, bill: Any) -> None:
    for answer in ("chatcmpl-123", "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT"):
        message = AIMessage("a", id=answer, usage_metadata=USAGE, response_metadata={"model_name": "gpt-5-mini"})

        class Slow(FakeMessagesListChatModel):
            together: Any = None

            async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
                await self.together.wait()
                return self._generate(*args, **kwargs)

        slow = Slow(responses=[message], together=Barrier(3))
        branches: Any = RunnableParallel(a=slow, b=slow, c=slow)
        asyncio.run(branches.ainvoke("hi", config))
    assert bill().tokens == [(3000, 300)] * 2


class Barrier:
    """Lets so many tasks go on at the same moment."""

    def __init__(self, tasks: int) -> None:
        self._missing = tasks
        self._all: Any = None

    async def wait(self) -> None:
        self._all = self._all or asyncio.get_running_loop().create_future()
        self._missing -= 1
        if not self._missing:
            self._all.set_result(None)
        await asyncio.wait_for(asyncio.shield(self._all), 10)
