"""Whose client pays: the innermost run around a call."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
import time
from typing import Any

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from keito.billing import AgentBilling, BillingPolicy, Budget, Outcome
from keito.billing.exceeded import KeitoBudgetExceeded
from keito.metering import current_run, log_outcome
from keito.sandbox import SandboxServer

PAUSE = 0.3

on_311 = pytest.mark.skipif(sys.version_info < (3, 11), reason="LangChain loses the context of such tasks")


@pytest.fixture
def other(keito_client: Any, keito_sandbox: Any) -> str:
    """The project of another client."""
    project: str = keito_client.projects.create(client_id=keito_sandbox.client_id, name="Other").id
    return project


def tokens_by_project(found: Any) -> dict[str, list[tuple[int, int]]]:
    """Tokens of the expenses of each project."""
    by_project: dict[str, list[tuple[int, int]]] = {}
    for expense in found.expenses:
        about = expense.metadata["model"]
        by_project.setdefault(expense.project_id, []).append((about["tokens_in"], about["tokens_out"]))
    return by_project


def seconds_by_project(found: Any) -> dict[str, float]:
    return {entry.project_id: entry.metadata["keito"]["duration_s"] for entry in found.time}


def agent_with(model: Any, *tools: Any) -> Any:
    """An agent that uses each of its tools once."""
    create_agent = pytest.importorskip("langchain.agents").create_agent
    calls = [{"name": tool.name, "args": {"text": "hi"}, "id": tool.name} for tool in tools]
    return create_agent(model(script=[AIMessage("", tool_calls=calls), AIMessage("done")]), list(tools))


QUESTION = {"messages": [("user", "hi")]}


@pytest.mark.parametrize("what", ["model", "chain", "graph"])
@pytest.mark.parametrize("block", ["run", "track_agent_work"])
def test_what_a_block_in_a_tool_does_is_billed_to_its_own_project(
    model: Any, billing: AgentBilling, config: Any, bill: Any, other: str, keito_client: Any, block: str, what: str
) -> None:
    start = billing.run if block == "run" else keito_client.track_agent_work
    places = {"project_id": other, "task_id": billing.policy.task_id} if block != "run" else {"project_id": other}
    if block != "run":
        places["expense_category_id"] = billing.policy.expense_category_id

    def achieve(text: Any) -> Any:
        log_outcome(Outcome("answered", 1))
        return text

    works = {
        "model": model(),
        "chain": RunnableLambda(achieve) | model(),
        "graph": agent_with(model, tool("noop", description="Nothing.")(lambda text: str(achieve(text)))),
    }

    @tool
    def look_up(text: str) -> str:
        """Look something up."""
        with start(name="Elsewhere", **places):
            works[what].invoke(QUESTION if what == "graph" else text)
            threading.Event().wait(PAUSE)
        return "found"

    agent, began = agent_with(model, look_up), time.monotonic()
    agent.invoke(QUESTION, config)
    took = time.monotonic() - began
    found = bill()
    inner = (2000, 200) if what == "graph" else (1000, 100)
    assert tokens_by_project(found) == {billing.policy.project_id: [(2000, 200)], other: [inner]}
    assert [entry.project_id for entry in found.outcomes] == [other] * (what != "model")
    seconds = seconds_by_project(found)
    assert len(found.time) == 2
    assert PAUSE <= seconds[other] <= sum(seconds.values()) < took + PAUSE / 2
    assert current_run() is None


@on_311
def test_what_an_asynchronous_block_in_a_tool_does_is_billed_to_its_own_project(
    model: Any, billing: AgentBilling, config: Any, bill: Any, other: str
) -> None:
    @tool
    async def look_up(text: str) -> str:
        """Look something up."""
        async with billing.run("Elsewhere", project_id=other):
            await asyncio.gather(model().ainvoke(text), (RunnableLambda(str) | model()).ainvoke(text))
            await asyncio.sleep(PAUSE)
        await model().ainvoke(text)
        return "found"

    agent, began = agent_with(model, look_up), time.monotonic()
    asyncio.run(agent.ainvoke(QUESTION, config))
    took = time.monotonic() - began
    found = bill()
    assert tokens_by_project(found) == {billing.policy.project_id: [(3000, 300)], other: [(2000, 200)]}
    seconds = seconds_by_project(found)
    assert PAUSE <= seconds[other] <= sum(seconds.values()) < took + PAUSE / 2


def test_tools_at_a_time_with_blocks_of_their_own_bill_each_to_its_project(
    model: Any, billing: AgentBilling, config: Any, bill: Any, other: str, keito_client: Any, keito_sandbox: Any
) -> None:
    third = keito_client.projects.create(client_id=keito_sandbox.client_id, name="Third").id
    both = threading.Barrier(2, timeout=30)

    def tool_for(project: str, name: str) -> Any:
        def look_up(text: str) -> str:
            with billing.run("Elsewhere", project_id=project):
                both.wait()
                return str((RunnableLambda(str) | model()).invoke(text).content)

        return tool(name, description="Look something up.")(look_up)

    agent_with(model, tool_for(other, "one"), tool_for(third, "two")).invoke(QUESTION, config)
    found = bill()
    assert tokens_by_project(found) == {
        billing.policy.project_id: [(2000, 200)],
        other: [(1000, 100)],
        third: [(1000, 100)],
    }


def test_a_part_of_a_run_is_billed_with_it(model: Any, billing: AgentBilling, config: Any, bill: Any) -> None:
    def work(text: str) -> str:
        with billing.run("Part"):
            (RunnableLambda(str) | model()).invoke(text)
        return text

    RunnableLambda(work).invoke("hi", config)
    found = bill()
    assert (found.tokens, found.cost) == ([(1000, 100)], ["0.00045"])


def test_a_budget_of_the_inner_block_is_the_one_that_stops_it(
    model: Any, billing: AgentBilling, bill: Any, other: str, keito_client: Any
) -> None:
    inner = AgentBilling(billing.policy, keito_client, project_id=other, budget=Budget(max_calls=1, stop=True))
    handler = KeitoCallbackHandler(AgentBilling(billing.policy, keito_client, budget=Budget(max_calls=9, stop=True)))

    def work(text: str) -> str:
        with inner.run("Elsewhere"):
            model().invoke(text)
            with pytest.raises(KeitoBudgetExceeded):
                model().invoke(text)
        model().invoke(text)
        return text

    RunnableLambda(work).invoke("hi", {"callbacks": [handler]})
    assert tokens_by_project(bill()) == {billing.policy.project_id: [(1000, 100)], other: [(1000, 100)]}


def test_a_block_that_ends_before_the_chain_in_it_bills_the_rest_beside_it(
    model: Any, billing: AgentBilling, config: Any, bill: Any, other: str
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(answer: Any) -> str:
        begun.set()
        assert ended.wait(30)
        return str(answer.content)

    chain = model() | RunnableLambda(work) | model()
    with billing.run("Request", project_id=other):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(chain.invoke, "hi", config))
        thread.start()
        assert begun.wait(30)
    ended.set()
    thread.join(30)
    found = bill()
    assert sum(tokens for tokens, _ in tokens_by_project(found)[other]) == 2000
    assert [entry.project_id for entry in found.time] == [other]
    assert len({record.metadata["session_id"] for record in [*found.time, *found.expenses]}) == 1
    keys = [record.metadata["keito"]["key"] for record in [*found.time, *found.expenses]]
    assert len(set(keys)) == len(keys)


def test_a_block_for_another_account_knows_nothing_of_the_run_in_it(
    model: Any, config: Any, bill: Any, billing: AgentBilling
) -> None:
    """Its time goes on, and the run in it has a session of its own."""
    from keito import Keito

    with SandboxServer() as elsewhere:
        client = Keito(api_key=elsewhere.api_key, account_id=elsewhere.account_id, base_url=elsewhere.url)
        theirs = AgentBilling(BillingPolicy(elsewhere.project_id, elsewhere.task_id), client)
        with theirs.run("Request") as request:
            RunnableLambda(lambda text: threading.Event().wait(PAUSE)).invoke("hi", config)
            model().invoke("hi", config)
        assert request.duration_ns == request.elapsed_ns
        theirs.close()
        (entry,) = client.time_entries.list(source="agent")
        assert entry.metadata["keito"]["duration_s"] >= PAUSE
        client.close()
    found = bill()
    assert sorted(found.tokens) == [(0, 0), (1000, 100)]
    assert request.uid not in {record.metadata["session_id"] for record in [*found.time, *found.expenses]}
