"""Blocks of code around LangChain runs, and after those that were left."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda

from keito.billing import AgentBilling, Outcome
from keito.metering import current_run, log_outcome, record_llm_call

on_311 = pytest.mark.skipif(sys.version_info < (3, 11), reason="LangChain loses the context of such tasks")


@pytest.fixture
def other(keito_client: Any, keito_sandbox: Any) -> str:
    """The project of another client."""
    project: str = keito_client.projects.create(client_id=keito_sandbox.client_id, name="Other").id
    return project


def batch(chain: Any, model: Any, config: Any) -> None:
    chain.batch(["a", "b", "c"], config)


def abatch(chain: Any, model: Any, config: Any) -> None:
    asyncio.run(chain.abatch(["a", "b", "c"], config))


def batch_as_completed(chain: Any, model: Any, config: Any) -> None:
    list(chain.batch_as_completed(["a", "b", "c"], config))


def retried(chain: Any, model: Any, config: Any) -> None:
    (model | RunnableLambda(str)).with_retry().batch(["a", "b", "c"], config)


def with_fallbacks(chain: Any, model: Any, config: Any) -> None:
    def fail(text: Any) -> Any:
        raise ConnectionError(text)

    failing: Any = RunnableLambda(fail)
    failing.with_fallbacks([model]).batch(["a", "b", "c"], config)


def generate(chain: Any, model: Any, config: Any) -> None:
    model.generate([[HumanMessage(text)] for text in "abc"], callbacks=config["callbacks"])


def streams_at_a_time(chain: Any, model: Any, config: Any) -> None:
    streams = [chain.stream(text, config) for text in "abc"]
    while streams:
        streams = [stream for stream in streams if next(stream, None) is not None]


@pytest.mark.parametrize(
    "work", [batch, abatch, batch_as_completed, retried, with_fallbacks, generate, streams_at_a_time]
)
def test_calls_at_a_time_in_a_block_are_parts_of_it_and_leave_it_current(
    model: Any, billing: AgentBilling, config: Any, bill: Any, work: Callable[..., None]
) -> None:
    asked = model()
    chain = RunnableLambda(str) | asked
    with billing.run(name="Whole request", session_id="S") as run:
        work(chain, asked, config)
        assert current_run() is run
        assert log_outcome(Outcome("resolved", 9))
        chain.invoke("d", config)
    found = bill()
    assert found.tokens == [(4000, 400)]
    assert [entry.notes for entry in found.time] == ["Whole request"]
    assert [outcome.metadata["session_id"] for outcome in found.outcomes] == ["S"]


def test_the_clock_of_a_block_stands_still_for_each_item_of_a_batch_for_another_client(
    model: Any, billing: AgentBilling, config: Any, bill: Any, other: str
) -> None:
    def wait(text: str) -> str:
        time.sleep({"a": 0.0, "b": 0.2, "c": 0.4}[text])
        return text

    began = time.perf_counter()
    with billing.run(name="Block"):
        (RunnableLambda(wait) | model()).batch(["a", "b", "c"], {**config, "metadata": {"keito_project_id": other}})
        log_outcome(Outcome("resolved", 9))
    took = time.perf_counter() - began
    found = bill()
    mine = [entry for entry in found.time if entry.project_id != other]
    assert [entry.notes for entry in mine] == ["Block"]
    assert len(found.time) == 4
    assert (mine[0].metadata["keito"].get("duration_s") or 0) < took - 0.39
    assert [outcome.project_id for outcome in found.outcomes] == [billing.policy.project_id]


def test_a_batch_for_another_client_inside_a_chain_leaves_the_chain_current(
    model: Any, billing: AgentBilling, config: Any, bill: Any, other: str
) -> None:
    def work(text: str) -> str:
        (RunnableLambda(str) | model()).batch(["a", "b"], {**config, "metadata": {"keito_project_id": other}})
        log_outcome(Outcome("resolved", 9))
        return text

    RunnableLambda(work).invoke("hi", config)
    found = bill()
    assert found.tokens == [(2000, 200)]  # LangChain says that the batch is inside of the chain: it is a part of it
    assert [outcome.project_id for outcome in found.outcomes] == [billing.policy.project_id]


def graph(model: Any) -> Any:
    def ask(state: Any) -> Any:
        return {"text": model.invoke("hi").content}

    builder = pytest.importorskip("langgraph.graph").StateGraph(dict)
    builder.add_node("ask", ask)
    builder.add_node("done", ask)
    builder.set_entry_point("ask")
    builder.add_edge("ask", "done")
    return builder.compile()


@pytest.mark.parametrize("what", ["chain", "graph"])
@pytest.mark.parametrize("kind", ["run", "async run", "track_agent_work"])
def test_a_block_after_a_stream_that_was_left_is_a_run_by_itself(
    model: Any, billing: AgentBilling, keito_client: Any, config: Any, bill: Any, kind: str, what: str
) -> None:
    left = RunnableLambda(str) | model() if what == "chain" else graph(model())
    policy = billing.policy

    def job() -> None:
        record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=7, output_tokens=1)
        log_outcome(Outcome("resolved", 9))

    async def work() -> None:
        async for _ in left.astream("hi" if what == "chain" else {"text": "hi"}, {**config, "run_name": "Left"}):
            break
        if kind == "async run":
            async with billing.run("Next job"):
                job()
        elif kind == "run":
            with billing.run("Next job"):
                job()
        else:
            with keito_client.track_agent_work(name="Next job", policy=policy):
                job()

    asyncio.run(work())
    gc.collect()
    found = bill()
    (entry,) = (entry for entry in found.time if entry.notes == "Next job")
    assert entry.metadata["keito"]["status"] == "completed"
    assert entry.metadata["model"]["tokens_in"] == 7
    assert [outcome.metadata["session_id"] for outcome in found.outcomes] == [entry.metadata["session_id"]]
    assert [entry.notes for entry in found.time if entry.metadata["session_id"] != outcome_session(found)] == ["Left"]


def outcome_session(found: Any) -> str:
    session: str = found.outcomes[0].metadata["session_id"]
    return session


def test_a_block_between_the_parts_of_a_stream_is_a_run_by_itself(
    model: Any, billing: AgentBilling, config: Any, bill: Any
) -> None:
    stream = (RunnableLambda(str) | model()).stream("hi", {**config, "run_name": "Stream"})
    next(stream)
    with billing.run("Next job"):
        log_outcome(Outcome("resolved", 9))
    list(stream)
    found = bill()
    assert sorted(entry.notes for entry in found.time) == ["Next job", "Stream"]


@pytest.mark.parametrize("is_async", [False, pytest.param(True, marks=on_311)])
def test_a_block_in_the_code_of_a_chain_is_a_part_of_it(
    model: Any, billing: AgentBilling, config: Any, bill: Any, is_async: bool
) -> None:
    def inner(text: str) -> str:
        with billing.run("Inner"):
            log_outcome(Outcome("resolved", 9))
        return text

    async def ainner(text: str) -> str:
        async def task() -> str:
            return inner(text)

        return await asyncio.create_task(task())

    chain: Any = RunnableLambda(inner, afunc=ainner) | model()
    asyncio.run(chain.ainvoke("hi", config)) if is_async else chain.batch(["hi"], config)
    found = bill()
    assert [entry.notes for entry in found.time] == ["RunnableSequence"]
    assert len(found.outcomes) == 1
