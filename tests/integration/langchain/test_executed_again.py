"""What LangGraph executes again is achieved once; what it has saved is not executed again, and was achieved."""

from __future__ import annotations

import asyncio
from inspect import signature
from typing import Any, TypedDict

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("genai_prices")

from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, interrupt

from keito.billing import Outcome
from keito.metering import log_outcome

RETRY = RetryPolicy(initial_interval=0.001, jitter=False, max_attempts=5, retry_on=ConnectionError)
RETRIED: Any = {"retry_policy" if "retry_policy" in signature(StateGraph.add_node).parameters else "retry": RETRY}


class State(TypedDict):
    """Of each graph."""

    text: str


def graph_of(node: Any, *, checkpointer: Any = None, **options: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("node", node, **options)
    builder.add_edge(START, "node")
    return builder.compile(checkpointer=checkpointer)


def log(number: int) -> None:
    assert log_outcome(Outcome("resolved", 1, evidence={"number": number}))


@task
def resolve(number: int) -> int:
    log(number)
    return number


@pytest.fixture
def thread(config: Any) -> Any:
    return {**config, "configurable": {"thread_id": "T"}}


@pytest.fixture
def logged(bill: Any) -> Any:
    def read() -> list[int]:
        return sorted(entry.metadata["outcome_evidence"]["number"] for entry in bill().outcomes)

    return read


def test_tasks_that_have_ended_before_an_interrupt_are_billed(thread: Any, logged: Any) -> None:
    @entrypoint(checkpointer=InMemorySaver())
    def flow(count: int) -> str:
        log(100)
        for pending in [resolve(number) for number in range(count)]:
            pending.result()
        interrupt("go on?")
        return "done"

    flow.invoke(3, thread)
    assert logged() == [0, 1, 2]
    flow.invoke(Command(resume="yes"), thread)
    assert logged() == [0, 1, 2, 100]


def test_tasks_of_an_asynchronous_flow_are_billed_likewise(thread: Any, logged: Any) -> None:
    @task
    async def fetch(number: int) -> int:
        log(number)
        return number

    @task
    async def both(number: int) -> int:
        await fetch(number)
        log(number + 10)
        return number

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(count: int) -> str:
        await asyncio.gather(*(both(number) for number in range(count)))
        return "done"

    asyncio.run(flow.ainvoke(2, thread))
    assert logged() == [0, 1, 10, 11]


def test_a_task_that_a_node_has_called_is_billed(thread: Any, logged: Any) -> None:
    def node(state: State) -> State:
        resolve(1).result()
        interrupt("go on?")
        return state

    graph = graph_of(node, checkpointer=InMemorySaver())
    graph.invoke({"text": "a"}, thread)
    graph.invoke(Command(resume="yes"), thread)
    assert logged() == [1]


def test_a_task_that_is_interrupted_itself_is_billed_when_it_ends(thread: Any, logged: Any) -> None:
    @task
    def ask(number: int) -> int:
        log(number)
        inner = RunnableLambda(lambda value: log(number + 1) or value).with_config(run_name="ask")
        inner.invoke(number)
        interrupt("go on?")
        return number

    @entrypoint(checkpointer=InMemorySaver())
    def flow(number: int) -> int:
        return ask(number).result()

    flow.invoke(1, thread)
    assert logged() == []
    flow.invoke(Command(resume="yes"), thread)
    assert logged() == [1, 2]


@pytest.mark.parametrize("checkpointer", [False, None])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_graph_that_keeps_no_checkpoints_is_executed_again_with_the_step_around_it(
    thread: Any, logged: Any, *, checkpointer: Any, is_async: bool
) -> None:
    def step(state: State) -> State:
        log(1)
        resolve(2).result()
        return state

    inner = graph_of(step, checkpointer=checkpointer)

    async def asynchronous(state: State) -> State:
        await inner.ainvoke(state)
        interrupt("go on?")
        return state

    def node(state: State) -> State:
        inner.invoke(state)
        interrupt("go on?")
        return state

    graph = graph_of(asynchronous if is_async else node, checkpointer=InMemorySaver())

    async def both() -> None:
        await graph.ainvoke({"text": "a"}, thread)
        await graph.ainvoke(Command(resume="yes"), thread)

    if is_async:
        asyncio.run(both())
    else:
        graph.invoke({"text": "a"}, thread)
        graph.invoke(Command(resume="yes"), thread)
    assert logged() == [1, 2]


def test_attempts_that_failed_are_not_billed(config: Any, logged: Any) -> None:
    attempts: list[int] = []

    def node(state: State) -> State:
        attempts.append(1)
        log(len(attempts))
        if len(attempts) < 3:
            raise ConnectionError
        return state

    graph_of(node, **RETRIED).invoke({"text": "a"}, config)
    assert logged() == [3]


def test_what_a_step_that_failed_for_good_has_achieved_is_billed(config: Any, logged: Any) -> None:
    def node(state: State) -> State:
        log(1)
        raise ValueError("no")

    def work(text: str) -> str:
        with pytest.raises(ValueError, match="no"):
            graph_of(node, **RETRIED).invoke({"text": text})
        return text

    RunnableLambda(work).invoke("a", config)
    assert logged() == [1]
