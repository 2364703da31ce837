"""Streams of graphs, agents and chains: one time entry and every token once, wherever the reader stops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import Any, TypedDict

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph

from keito.billing import AgentBilling, Outcome
from keito.metering import current_run

pytestmark = [
    pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"),
    pytest.mark.filterwarnings("ignore:.*[vV]3 streaming protocol.*"),
]

ALL, COST = (3000, 300), "0.00135"


class State(TypedDict):
    """Of the graphs here."""

    text: str


@pytest.fixture
def paid(billing: AgentBilling, keito_client: Any) -> Any:
    """The config of a run that is worth 5 dollars when it is done."""
    handler = KeitoCallbackHandler(AgentBilling(billing.policy, keito_client, outcome=Outcome("done", 5)))
    return {"callbacks": [handler], "run_name": "Stream"}


def sequence(*nodes: Any) -> Any:
    builder = StateGraph(State)
    names = [f"node{number}" for number in range(len(nodes))]
    for name, node in zip(names, nodes):
        builder.add_node(name, node)
    for before, after in zip([START, *names], [*names, END]):
        builder.add_edge(before, after)
    return builder.compile()


def asking(model: Any) -> Any:
    """A node that asks a model, in graphs of either kind."""

    def ask(state: State, config: RunnableConfig) -> State:
        model().invoke(state["text"], config)
        return state

    async def aask(state: State, config: RunnableConfig) -> State:
        await model().ainvoke(state["text"], config)
        return state

    return RunnableLambda(ask, aask)


def nested_graph(model: Any) -> Any:
    """Three model calls, of which the second is in a graph inside the graph."""
    ask = asking(model)
    return sequence(ask, sequence(ask), ask)


def chain_of(model: Any) -> Any:
    return model() | RunnableLambda(str) | model() | RunnableLambda(str) | model()


def agent_of(model: Any) -> Any:
    """An agent whose tool asks a model."""
    create_agent = pytest.importorskip("langchain.agents").create_agent

    @tool
    def research(text: str, config: RunnableConfig) -> str:
        """Research."""
        return str(model().invoke(text, config).content)

    call = {"name": "research", "args": {"text": "hi"}, "id": "1"}
    return create_agent(model(script=[AIMessage("", tool_calls=[call]), AIMessage("done")]), [research])


def input_of(runnable: Any) -> Any:
    if not hasattr(runnable, "nodes"):
        return "hi"
    return {"messages": [("user", "hi")]} if "messages" in runnable.channels else {"text": "hi"}


def v3(runnable: Any, config: Any) -> Any:
    try:
        return runnable.stream_events(input_of(runnable), config, version="v3")
    except (AttributeError, NotImplementedError, TypeError):
        pytest.skip("no streams of version 3 here")


async def av3(runnable: Any, config: Any) -> Any:
    try:
        return await runnable.astream_events(input_of(runnable), config, version="v3")
    except (AttributeError, NotImplementedError, TypeError):
        pytest.skip("no streams of version 3 here")


def read_all_messages(run: Any) -> None:
    for message in run.messages:
        assert str(message.output.content)


MODES: list[Any] = ["values", "updates", "messages", "debug", ["values", "messages", "updates", "custom"]]

SYNC: dict[str, Any] = {
    **{
        f"stream {mode} {subgraphs}": lambda runnable, config, mode=mode, subgraphs=subgraphs: list(
            runnable.stream(input_of(runnable), config, stream_mode=mode, subgraphs=subgraphs)
        )
        for mode in MODES
        for subgraphs in (False, True)
    },
    "v3 events": lambda runnable, config: list(v3(runnable, config)),
    "v3 values": lambda runnable, config: list(v3(runnable, config).values),
    "v3 messages": lambda runnable, config: read_all_messages(v3(runnable, config)),
    "v3 output": lambda runnable, config: v3(runnable, config).output,
    "v3 interleaved": lambda runnable, config: list(v3(runnable, config).interleave("values", "messages")),
}


@pytest.mark.parametrize("way", SYNC)
@pytest.mark.parametrize("what", [nested_graph, agent_of])
def test_a_graph_that_is_streamed_to_its_end(model: Any, paid: Any, bill: Any, what: Any, way: str) -> None:
    SYNC[way](what(model), paid)
    check_all(bill(), paid)


def check_all(found: Any, paid: Any) -> None:
    (handler,) = paid["callbacks"]
    assert (found.tokens, found.cost, found.statuses) == ([ALL], [COST], ["completed"])
    assert [entry.notes for entry in found.time] == ["Stream"]
    assert len(found.outcomes) == 1
    assert (handler.open_runs, handler.billing.guard.count, current_run()) == (0, 0, None)


async def drain(stream: Any) -> None:
    async for _ in stream:
        pass


ASYNC: dict[str, Any] = {
    **{
        f"astream {mode}": lambda runnable, config, mode=mode: drain(
            runnable.astream(input_of(runnable), config, stream_mode=mode, subgraphs=True)
        )
        for mode in MODES
    },
    "v2 events": lambda runnable, config: drain(runnable.astream_events(input_of(runnable), config, version="v2")),
}


@pytest.mark.parametrize("way", ASYNC)
def test_a_graph_that_is_streamed_asynchronously_to_its_end(model: Any, paid: Any, bill: Any, way: str) -> None:
    asyncio.run(ASYNC[way](nested_graph(model), paid))
    check_all(bill(), paid)


@pytest.mark.parametrize("what", ["events", "values", "messages", "output"])
def test_a_graph_that_is_streamed_by_version_3_asynchronously(model: Any, paid: Any, bill: Any, what: str) -> None:
    async def read() -> None:
        run = await av3(nested_graph(model), paid)
        if what == "output":
            await run.output()
        elif what == "messages":
            async for message in run.messages:
                assert str((await message.output).content)
        else:
            await drain(run if what == "events" else run.values)

    asyncio.run(read())
    check_all(bill(), paid)


@pytest.mark.parametrize("way", ["stream", "astream", "v2"])
def test_a_chain_that_is_streamed_to_its_end(model: Any, paid: Any, bill: Any, way: str) -> None:
    chain = chain_of(model)
    if way == "stream":
        list(chain.stream("hi", paid))
    elif way == "astream":
        asyncio.run(drain(chain.astream("hi", paid)))
    else:
        asyncio.run(drain(chain.astream_events("hi", paid, version=way)))
    check_all(bill(), paid)


def close(stream: Any) -> None:
    next(stream)
    stream.close()


def leave(stream: Any) -> None:
    for _ in stream:
        break


def abort(run: Any) -> None:
    for _ in run:
        break
    run.abort()


def abort_by_leaving_the_block(run: Any) -> None:
    with run:
        for _ in run.values:
            break


def fail(stream: Any) -> None:
    with contextlib.suppress(LookupError):
        for _ in stream:
            raise LookupError("the reader's own")


EARLY: dict[str, Any] = {
    **{
        f"{end.__name__} {mode}": lambda graph, config, end=end, mode=mode: end(
            graph.stream(input_of(graph), config, stream_mode=mode, subgraphs=True)
        )
        for end in (close, leave, fail)
        for mode in ("updates", "messages")
    },
    "v3 abort": lambda graph, config: abort(v3(graph, config)),
    "v3 block": lambda graph, config: abort_by_leaving_the_block(v3(graph, config)),
}


@pytest.mark.parametrize("way", EARLY)
def test_a_graph_whose_reader_stops_early(model: Any, paid: Any, bill: Any, way: str) -> None:
    EARLY[way](nested_graph(model), paid)
    gc.collect()
    check_cut(bill(), paid)


def check_cut(found: Any, paid: Any) -> None:
    """Cancelled, with what was called by then: tokens, or that they are not known; and nothing is left."""
    (handler,) = paid["callbacks"]
    assert (found.statuses, found.outcomes) == (["cancelled"], [])
    ((tokens, _),) = found.tokens
    unknown = sum(row["calls"] for row in found.facts.get("unpriced", []))
    assert found.facts.get("calls", 0) == tokens // 1000 + unknown
    assert tokens < 3000
    assert (handler.open_runs, handler.billing.guard.count, current_run()) == (0, 0, None)


async def acut(stream: Any) -> None:
    async for _ in stream:
        break
    await stream.aclose()


async def aleave(stream: Any) -> None:
    async for _ in stream:
        break


async def aabort(run: Any) -> None:
    async for _ in run:
        break
    await run.abort()


async def ablock(run: Any) -> None:
    async with run:
        async for _ in run.values:
            break


async def ended(paid: Any) -> None:
    """What is dropped ends when it is collected."""
    (handler,) = paid["callbacks"]
    deadline = asyncio.get_running_loop().time() + 20
    while handler.open_runs:
        assert asyncio.get_running_loop().time() < deadline
        gc.collect()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "way", ["aclose updates", "aclose messages", "leave updates", "v2 events", "v3 abort", "v3 block", "cancel"]
)
def test_a_graph_whose_reader_stops_early_asynchronously(model: Any, paid: Any, bill: Any, way: str) -> None:
    async def read() -> None:
        graph = nested_graph(model)
        how, _, mode = way.partition(" ")
        if how == "v2":
            await acut(graph.astream_events({"text": "hi"}, paid, version="v2", include_names=["node1"]))
        elif how == "v3":
            await (aabort if mode == "abort" else ablock)(await av3(graph, paid))
        elif how == "cancel":
            read_one = asyncio.Event()

            async def slowly() -> None:
                async for _ in graph.astream({"text": "hi"}, paid, stream_mode="updates"):
                    read_one.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(slowly())
            await read_one.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            stream = graph.astream({"text": "hi"}, paid, stream_mode=mode)
            await (acut if how == "aclose" else aleave)(stream)
            del stream
        await ended(paid)

    asyncio.run(read())
    check_cut(bill(), paid)


def test_a_run_that_langchain_drops_before_it_can_end_is_billed_all_the_same(model: Any, paid: Any, bill: Any) -> None:
    """Nothing tells of the end of a graph whose events nobody reads after the first."""

    async def read() -> None:
        await acut(nested_graph(model).astream_events({"text": "hi"}, paid, version="v2"))

    asyncio.run(read())
    gc.collect()
    (handler,) = paid["callbacks"]
    assert handler.flush().complete
    found = bill()
    assert (found.statuses, found.tokens, found.outcomes, handler.open_runs) == (["abandoned"], [(0, 0)], [], 0)
