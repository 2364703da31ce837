"""Graphs and agents."""

import asyncio
import sys
from typing import Any, TypedDict

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoCallbackHandler
from keito_langchain.table import table_of
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from keito import Keito
from keito.billing import AgentBilling, Outcome
from keito.metering import log_outcome


class State(TypedDict):
    """Of all graphs here."""

    text: str


def graph(*nodes: Any, **options: Any) -> Any:
    """A graph that runs its nodes one after the other."""
    builder = StateGraph(State)
    names = [START, *(f"node{number}" for number in range(len(nodes))), END]
    for name, node in zip(names[1:], nodes):
        builder.add_node(name, node)
    for before, after in zip(names, names[1:]):
        builder.add_edge(before, after)
    return builder.compile(**options)


@tool
def resolve(ticket: str) -> str:
    """Resolve a ticket."""
    assert log_outcome(Outcome("ticket_resolved", 0.99, evidence={"ticket": ticket}))
    return "resolved"


@tool
async def resolve_async(ticket: str) -> str:
    """Resolve a ticket."""
    assert log_outcome(Outcome("ticket_resolved", 0.99, evidence={"ticket": ticket}))
    return "resolved"


def agent_of(model: Any, resolver: Any) -> Any:
    agents = pytest.importorskip("langchain.agents")
    calls = [{"name": resolver.name, "args": {"ticket": ticket}, "id": ticket} for ticket in ("1", "2", "3")]
    script = [AIMessage("", tool_calls=calls), AIMessage("All resolved.")]
    return agents.create_agent(model(script=script), [resolver])


# create_agent calls its model without a config, which Python 3.10 cannot make up for in tasks.
on_311 = pytest.mark.skipif(sys.version_info < (3, 11), reason="LangChain loses the callbacks of async agents")


@pytest.mark.parametrize(
    "way", ["invoke", "stream", pytest.param("ainvoke", marks=on_311), pytest.param("astream", marks=on_311)]
)
def test_an_agent_with_tools_is_one_bill(model: Any, billing: AgentBilling, config: Any, bill: Any, way: str) -> None:
    question = {"messages": [HumanMessage("Resolve 1, 2 and 3.")]}

    async def drain(stream: Any) -> None:
        async for _ in stream:
            pass

    # Plain functions are called in threads by the synchronous agent; coroutines stay on the loop.
    if way == "invoke":
        agent_of(model, resolve).invoke(question, config)
    elif way == "stream":
        list(agent_of(model, resolve).stream(question, config))
    elif way == "ainvoke":
        asyncio.run(agent_of(model, resolve_async).ainvoke(question, config))
    else:
        asyncio.run(drain(agent_of(model, resolve).astream(question, config)))
    found = bill()
    assert found.tokens == [(2000, 200)]
    assert sorted(entry.metadata["outcome_evidence"]["ticket"] for entry in found.outcomes) == ["1", "2", "3"]
    assert [expense.total_cost for expense in found.expenses] == [pytest.approx(0.0009)]
    assert len({record.metadata["session_id"] for record in (*found.time, *found.outcomes, *found.expenses)}) == 1
    assert len(table_of(billing)) == 0


def test_streamed_messages_of_a_graph_are_counted_once(model: Any, config: Any, bill: Any) -> None:
    list(agent_of(model, resolve).stream({"messages": [HumanMessage("?")]}, config, stream_mode="messages"))
    assert len(bill().time) == 1


def test_a_graph_in_a_graph_is_one_run(model: Any, billing: AgentBilling, config: Any, bill: Any) -> None:
    def ask(state: State) -> State:
        model().invoke(state["text"])
        return state

    def delegate(state: State) -> State:
        return inner.invoke(state)

    inner = graph(ask, ask)
    outer = graph(ask, inner, delegate)
    outer.invoke({"text": "hi"}, config)
    assert bill().tokens == [(5000, 500)]
    assert len(table_of(billing)) == 0


def test_an_interrupt_is_no_failure_and_its_outcome_waits_for_the_end(
    model: Any, billing: AgentBilling, keito_client: Keito, bill: Any
) -> None:
    def ask(state: State) -> State:
        model().invoke(state["text"])
        return state

    def approve(state: State) -> State:
        return {"text": interrupt("May I?")}

    approval = graph(ask, approve, ask, checkpointer=InMemorySaver())
    handler = KeitoCallbackHandler(AgentBilling(billing.policy, keito_client, outcome=Outcome("done")))
    config: Any = {"callbacks": [handler], "configurable": {"thread_id": "thread-7"}}
    approval.invoke({"text": "hi"}, config)
    first = bill()
    assert (first.facts["status"], first.outcomes, first.tokens) == ("paused", [], [(1000, 100)])
    assert first.time[0].billable is not False
    approval.invoke(Command(resume="yes"), config)
    found = bill()
    assert sorted(entry.metadata["keito"]["status"] for entry in found.time) == ["completed", "paused"]
    assert {entry.metadata["session_id"] for entry in found.time} == {"thread-7"}
    assert [entry.metadata["outcome_type"] for entry in found.outcomes] == ["done"]
    assert found.tokens == [(1000, 100)] * 2
    assert handler.billing.guard.count == 0


def test_a_node_that_fails_fails_the_run(config: Any, bill: Any) -> None:
    def fail(state: State) -> State:
        raise LookupError("no such ticket")

    with pytest.raises(LookupError):
        graph(fail).invoke({"text": "hi"}, config)
    found = bill()
    assert (found.facts["status"], found.time[0].billable) == ("failed", False)


def test_a_cancelled_graph_bills_what_it_used(model: Any, config: Any, bill: Any) -> None:
    async def ask(state: State, config: RunnableConfig) -> State:
        await model().ainvoke(state["text"], config)
        return state

    async def wait(state: State) -> State:
        waiting.set()
        await asyncio.Event().wait()
        return state

    async def main() -> None:
        task = asyncio.create_task(graph(ask, wait).ainvoke({"text": "hi"}, config))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    waiting = asyncio.Event()
    asyncio.run(main())
    found = bill()
    assert found.facts["status"] == "cancelled"
    assert [expense.total_cost for expense in found.expenses] == [pytest.approx(0.00045)]
