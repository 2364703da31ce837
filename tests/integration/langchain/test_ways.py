"""Unusual ways into a run and out of it: each is one bill."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda

from keito.billing import AgentBilling

ONE = (1000, 100)


@pytest.fixture
def refuses(model: Any) -> Any:
    """A model that fails before it answers, also in a stream."""

    class Refuses(model):
        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            raise ValueError("no")

        def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            raise ValueError("no")

    return Refuses()


async def _collect(stream: Any) -> list[Any]:
    return [part async for part in stream]


FALLBACKS: dict[str, Any] = {
    "stream": lambda chain, config: list(chain.stream("hi", config)),
    "astream": lambda chain, config: asyncio.run(_collect(chain.astream("hi", config))),
    "astream_events": lambda chain, config: asyncio.run(_collect(chain.astream_events("hi", config, version="v2"))),
    "batch": lambda chain, config: chain.batch(["hi"], config),
    "abatch": lambda chain, config: asyncio.run(chain.abatch(["hi"], config)),
}


@pytest.mark.parametrize("way", FALLBACKS)
@pytest.mark.parametrize("in_chain", [False, True])
def test_fallbacks_are_one_run_in_every_way(
    model: Any, refuses: Any, config: Any, bill: Any, handler: KeitoCallbackHandler, way: str, in_chain: bool
) -> None:
    either = refuses.with_fallbacks([refuses, model()])
    FALLBACKS[way](RunnableLambda(str) | either if in_chain else either, config)
    found = bill()
    assert (found.tokens, found.cost, found.statuses) == ([ONE], ["0.00045"], ["completed"])
    assert handler.open_runs == 0


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
@pytest.mark.parametrize("is_async", [False, True])
def test_a_stream_of_version_3_is_counted_once(model: Any, config: Any, bill: Any, is_async: bool) -> None:
    if not hasattr(model(), "stream_events"):
        pytest.skip("this langchain-core has no streams of version 3")

    async def read() -> None:
        async for _ in await model().astream_events("hi", config, version="v3"):
            pass

    if is_async:
        asyncio.run(read())
    else:
        assert list(model().stream_events("hi", config, version="v3"))
    found = bill()
    assert (found.tokens, found.cost) == ([ONE], ["0.00045"])


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "cancelled"), (SystemExit, "failed")])
def test_a_program_that_is_stopped_in_a_call_has_its_bill(
    model: Any, config: Any, bill: Any, handler: KeitoCallbackHandler, error: Any, status: str
) -> None:
    def work(text: str) -> Any:
        model().invoke(text)
        return model(error=error()).invoke(text)

    with pytest.raises(error):
        RunnableLambda(work).invoke("hi", config)
    found = bill()
    assert (found.tokens, found.statuses) == ([ONE], [status])
    assert handler.open_runs == 0


def test_what_is_asked_beside_a_prompt_that_fails_is_billed(model: Any, config: Any, bill: Any) -> None:
    class Picky(model):
        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            if messages[0].content == "bad":
                raise ValueError("bad")
            return super()._generate(messages)

    async def ask() -> None:
        prompts = [[HumanMessage(text)] for text in ("one", "bad", "two")]
        with pytest.raises(ValueError, match="bad"):
            await Picky().agenerate(prompts, **config)

    asyncio.run(ask())
    found = bill()
    assert sorted(found.tokens) == [(0, 0), ONE, ONE]
    assert found.statuses == ["completed", "completed", "failed"]


def test_tools_that_ask_models_are_parts_of_the_agents_run(model: Any, config: Any, bill: Any) -> None:
    create_agent = pytest.importorskip("langchain.agents").create_agent
    from langchain_core.tools import tool

    inner = model(requested="gpt-5-nano", served="gpt-5-nano-2025-08-07")

    @tool
    def research(text: str) -> str:
        """Research."""
        return str(inner.invoke(text).content)

    calls = [{"name": "research", "args": {"text": text}, "id": text} for text in ("one", "two")]
    outer = model(script=[AIMessage("", tool_calls=calls), AIMessage("done")])
    create_agent(outer, [research]).invoke({"messages": [("user", "hi")]}, config)
    found = bill()
    assert (found.tokens, found.cost) == ([(4000, 400)], ["0.00108"])


def test_a_chain_whose_stream_is_closed_leaves_nothing_open(
    model: Any, config: Any, bill: Any, handler: KeitoCallbackHandler
) -> None:
    stream = (RunnableLambda(str) | model()).stream("hi", config)
    next(stream)
    stream.close()
    del stream
    gc.collect()
    found = bill()
    assert found.facts["unpriced"] == [{"model": "gpt-5-mini", "reason": "did not end before its run", "calls": 1}]
    assert handler.open_runs == 0


def test_an_answer_that_cannot_be_read_has_an_unknown_cost_and_its_run_ends(
    billing: AgentBilling, bill: Any, handler: KeitoCallbackHandler
) -> None:
    run_id = uuid4()
    handler.on_chat_model_start(None, [[]], run_id=run_id, metadata={"ls_model_name": "gpt-5-mini"})
    handler.on_llm_end(object(), run_id=run_id)  # type: ignore[arg-type]
    found = bill()
    assert (found.tokens, found.cost, found.statuses) == ([(0, 0)], [], ["completed"])
    assert found.facts["unpriced"] == [{"model": "gpt-5-mini", "reason": "not reported", "calls": 1}]
    assert handler.open_runs == 0
    assert billing.guard.count == 1
    billing.guard.count = 0
