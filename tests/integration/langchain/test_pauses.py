"""Graphs that wait for a person: each part is billed once, the waiting never, and the outcome when it is reached."""

from __future__ import annotations

import asyncio
import operator
import sys
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoCallbackHandler
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt

from keito.billing import AgentBilling, Outcome
from keito.metering import current_run, log_outcome

try:
    from langgraph.callbacks import GraphCallbackHandler
except ImportError:  # older than 1.1.7
    GraphCallbackHandler = None

tells_of_pauses = pytest.mark.skipif(GraphCallbackHandler is None, reason="this LangGraph doesn't tell of such pauses")


class State(TypedDict):
    """Of most graphs here."""

    text: str


class Fan(TypedDict):
    """Of a graph that spreads its work."""

    tickets: list[str]
    done: Annotated[list[str], operator.add]


class Both(TypedDict):
    """Of a graph with two nodes at a time."""

    text: str
    notes: Annotated[list[str], operator.add]


def chain_of(*nodes: Any, **options: Any) -> Any:
    builder = StateGraph(State)
    names = [node.__name__ if callable(node) else f"graph{number}" for number, node in enumerate(nodes)]
    for name, node in zip(names, nodes):
        builder.add_node(name, node)
    for before, after in zip([START, *names], [*names, END]):
        builder.add_edge(before, after)
    return builder.compile(checkpointer=InMemorySaver(), **options)


@pytest.fixture
def paid(billing: AgentBilling, keito_client: Any) -> Any:
    """The config of a conversation that is worth 5 dollars when it is done."""
    handler = KeitoCallbackHandler(AgentBilling(billing.policy, keito_client, outcome=Outcome("approved", 5)))
    return {"callbacks": [handler], "configurable": {"thread_id": "thread-7"}, "run_name": "Approval"}


@pytest.fixture
def ask(model: Any) -> Callable[[State], State]:
    def ask(state: State) -> State:
        model().invoke(state["text"])
        return state

    return ask


def approve(state: State) -> State:
    return {"text": interrupt("May I?")}


def test_both_parts_are_billed_once_and_the_waiting_is_not(ask: Any, paid: Any, bill: Any) -> None:
    graph = chain_of(ask, approve)
    graph.invoke({"text": "hi"}, paid)
    first = bill()
    assert (first.statuses, first.tokens, first.outcomes) == (["paused"], [(1000, 100)], [])
    assert first.time[0].billable is not False
    waited = sum(entry.hours for entry in first.time)
    graph.invoke(Command(resume="yes"), paid)
    found = bill()
    assert found.statuses == ["completed", "paused"]
    assert found.tokens.count((1000, 100)) == 1
    assert len(found.expenses) == 1
    assert {entry.metadata["session_id"] for entry in [*found.time, *found.expenses, *found.outcomes]} == {"thread-7"}
    assert [(entry.metadata["outcome_type"], entry.metadata["outcome_unit_price"]) for entry in found.outcomes] == [
        ("approved", 5)
    ]
    assert sum(entry.hours for entry in found.time) < waited + 0.01


def test_a_node_that_runs_again_pays_its_model_again_and_logs_its_outcome_once(
    model: Any, paid: Any, bill: Any
) -> None:
    def decide(state: State) -> State:
        model().invoke(state["text"])
        assert log_outcome(Outcome("draft_written", "0.50"))
        return {"text": interrupt("May I?")}

    graph = chain_of(decide)
    graph.invoke({"text": "hi"}, paid)
    assert bill().outcomes == []  # the node is going to log it again
    graph.invoke(Command(resume="yes"), paid)
    found = bill()
    assert found.tokens == [(1000, 100)] * 2  # the provider was asked twice
    assert sorted(entry.metadata["outcome_type"] for entry in found.outcomes) == ["approved", "draft_written"]


def test_what_a_finished_node_achieved_is_billed_with_its_part(ask: Any, paid: Any, bill: Any) -> None:
    def write(state: State) -> State:
        log_outcome(Outcome("draft_written", "0.50"))
        return state

    graph = chain_of(write, approve)
    graph.invoke({"text": "hi"}, paid)
    assert [entry.metadata["outcome_type"] for entry in bill().outcomes] == ["draft_written"]
    graph.invoke(Command(resume="yes"), paid)
    assert sorted(entry.metadata["outcome_type"] for entry in bill().outcomes) == ["approved", "draft_written"]


@tells_of_pauses
@pytest.mark.parametrize("where", ["interrupt_before", "interrupt_after"])
def test_a_pause_that_no_node_asks_for_is_one(ask: Any, paid: Any, bill: Any, where: str) -> None:
    def write(state: State) -> State:
        return state

    graph = chain_of(ask, write, **{where: ["write" if where == "interrupt_before" else "ask"]})
    graph.invoke({"text": "hi"}, paid)
    assert (bill().statuses, bill().outcomes) == (["paused"], [])
    graph.invoke(None, paid)
    assert bill().statuses == ["completed", "paused"]
    assert len(bill().outcomes) == 1


def test_a_pause_inside_a_subgraph_pauses_the_whole(ask: Any, paid: Any, bill: Any) -> None:
    graph = chain_of(ask, chain_of(ask, approve))
    graph.invoke({"text": "hi"}, paid)
    assert (bill().statuses, bill().tokens, bill().outcomes) == (["paused"], [(2000, 200)], [])
    graph.invoke(Command(resume="yes"), paid)
    found = bill()
    assert (found.statuses, len(found.outcomes), len(found.expenses)) == (["completed", "paused"], 1, 1)


def test_a_pause_asynchronously(model: Any, paid: Any, bill: Any) -> None:
    async def ask(state: State, config: RunnableConfig) -> State:
        await model().ainvoke(state["text"], config)
        return state

    async def main() -> None:
        graph = chain_of(ask, approve) if sys.version_info >= (3, 11) else chain_of(ask)
        await graph.ainvoke({"text": "hi"}, paid)
        if sys.version_info >= (3, 11):
            await graph.ainvoke(Command(resume="yes"), paid)

    asyncio.run(main())
    assert sum(tokens for tokens, _ in bill().tokens) == 1000
    assert len(bill().outcomes) == 1


@tells_of_pauses
def test_a_graph_that_one_run_pauses_and_resumes_is_finished(ask: Any, paid: Any, bill: Any) -> None:
    graph = chain_of(ask, approve)

    def both(text: str) -> str:
        config = {"configurable": {"thread_id": "thread-7"}}
        graph.invoke({"text": text}, config)
        return str(graph.invoke(Command(resume="yes"), config))

    RunnableLambda(both).invoke("hi", paid)
    found = bill()
    assert (found.statuses, len(found.outcomes), found.tokens) == (["completed"], 1, [(1000, 100)])


def test_a_command_to_a_parent_graph_is_no_failure(paid: Any, bill: Any) -> None:
    def leave(state: State) -> Any:
        return Command(goto="after", graph=Command.PARENT, update={"text": "left"})

    def after(state: State) -> State:
        return state

    builder = StateGraph(State)
    inner = StateGraph(State)
    inner.add_node("leave", leave)
    inner.add_edge(START, "leave")
    builder.add_node("inner", inner.compile())
    builder.add_node("after", after)
    builder.add_edge(START, "inner")
    builder.compile().invoke({"text": "hi"}, paid)
    assert (bill().statuses, len(bill().outcomes)) == (["completed"], 1)


def test_a_graph_that_fails_after_a_pause_has_no_outcome(ask: Any, paid: Any, bill: Any) -> None:
    def fail(state: State) -> State:
        raise LookupError("no such order")

    graph = chain_of(ask, approve, fail)
    graph.invoke({"text": "hi"}, paid)
    with pytest.raises(LookupError):
        graph.invoke(Command(resume="yes"), paid)
    assert (bill().statuses, bill().outcomes) == (["failed", "paused"], [])


def test_steps_that_fan_out_are_one_run_and_log_each_their_outcome(model: Any, paid: Any, bill: Any) -> None:
    def spread(state: Fan) -> list[Send]:
        return [Send("work", {"ticket": ticket}) for ticket in state["tickets"]]

    def work(state: Any) -> Any:
        model().invoke(state["ticket"])
        log_outcome(Outcome("ticket_resolved", 1, evidence={"ticket": state["ticket"]}))
        return {"done": [state["ticket"]]}

    builder = StateGraph(Fan)
    builder.add_node("work", work)
    builder.add_conditional_edges(START, spread, ["work"])
    builder.compile().invoke({"tickets": ["1", "2", "3"], "done": []}, paid)
    found = bill()
    assert found.tokens == [(3000, 300)]
    tickets = [entry.metadata.get("outcome_evidence", {}).get("ticket") for entry in found.outcomes]
    assert sorted(filter(None, tickets)) == ["1", "2", "3"]
    assert len({entry.metadata["session_id"] for entry in found.outcomes}) == 1


def test_parallel_steps_of_which_one_is_interrupted_keep_the_others_outcomes(paid: Any, bill: Any) -> None:
    def write(state: Both) -> Any:
        log_outcome(Outcome("draft_written", 1))
        return {"notes": ["written"]}

    def check(state: Both) -> Any:
        log_outcome(Outcome("checked", 1))
        return {"notes": [interrupt("ok?")]}

    builder = StateGraph(Both)
    for node in (write, check):
        builder.add_node(node.__name__, node)
        builder.add_edge(START, node.__name__)
    graph = builder.compile(checkpointer=InMemorySaver())
    graph.invoke({"text": "hi", "notes": []}, paid)
    assert [entry.metadata["outcome_type"] for entry in bill().outcomes] == ["draft_written"]
    graph.invoke(Command(resume="yes"), paid)
    found = sorted(entry.metadata["outcome_type"] for entry in bill().outcomes)
    assert found == ["approved", "checked", "draft_written"]


def test_the_handler_is_one_of_langgraphs_only_where_there_is_langgraph(paid: Any, ask: Any) -> None:
    (handler,) = paid["callbacks"]
    chain_of(ask).invoke({"text": "hi"}, paid)
    assert GraphCallbackHandler is None or isinstance(handler, GraphCallbackHandler)
    assert isinstance(handler, KeitoCallbackHandler)
    assert current_run() is None


def test_a_block_in_which_a_graph_pauses_is_paused_and_joins_its_conversation(ask: Any, paid: Any, bill: Any) -> None:
    graph, block = chain_of(ask, approve), paid["callbacks"][0].billing
    with block.run("Request"):
        graph.invoke({"text": "hi"}, paid)
        log_outcome(Outcome("asked", 1))
    first = bill()
    assert (first.statuses, [entry.metadata["outcome_type"] for entry in first.outcomes]) == (["paused"], ["asked"])
    with block.run("Answer"):
        graph.invoke(Command(resume="yes"), paid)
    found = bill()
    assert found.statuses == ["completed", "paused"]
    assert sorted(entry.metadata["outcome_type"] for entry in found.outcomes) == ["approved", "asked"]
    assert {entry.metadata["session_id"] for entry in [*found.time, *found.outcomes]} == {"thread-7"}


def test_a_block_in_which_a_graph_pauses_and_goes_on_is_done(ask: Any, paid: Any, bill: Any) -> None:
    graph = chain_of(ask, approve)
    with paid["callbacks"][0].billing.run("Request", session_id="S"):
        graph.invoke({"text": "hi"}, paid)
        beside: Any = {**paid, "run_name": "Beside"}
        RunnableLambda(str).invoke("beside", beside)
        graph.invoke(Command(resume="yes"), paid)
    found = bill()
    assert found.statuses == ["completed"]
    assert [entry.metadata["outcome_type"] for entry in found.outcomes] == ["approved"]
    assert {entry.metadata["session_id"] for entry in [*found.time, *found.outcomes]} == {"S"}
