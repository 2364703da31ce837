"""Work that goes on after the run in which it was started."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import Any

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoCallbackHandler
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from keito.billing import AgentBilling, Outcome


class Later:
    """Work that a run starts and that begins after the end of that run."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._ended = threading.Event()

    def start(self, work: Any) -> None:
        def go() -> None:
            assert self._ended.wait(30)
            work()

        self._threads.append(threading.Thread(target=contextvars.copy_context().run, args=(go,)))
        self._threads[-1].start()

    def run(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def other(keito_client: Any, keito_sandbox: Any) -> str:
    """The project of another client."""
    project: str = keito_client.projects.create(client_id=keito_sandbox.client_id, name="Other").id
    return project


@pytest.fixture
def paid(billing: AgentBilling, keito_client: Any) -> KeitoCallbackHandler:
    """A handler for runs that are worth 5 dollars each."""
    return KeitoCallbackHandler(AgentBilling(billing.policy, keito_client, outcome=Outcome("done", 5)))


def test_calls_that_a_thread_of_a_tool_makes_after_the_end_are_billed_beside_the_run(
    model: Any, paid: KeitoCallbackHandler, bill: Any, later: Later
) -> None:
    @tool
    def look_up(text: str) -> str:
        """Look something up."""
        for _ in range(3):
            later.start(lambda: model().invoke(text))
        return "found"

    look_up.invoke({"text": "hi"}, {"callbacks": [paid]})
    later.run()
    assert paid.flush().complete
    found = bill()
    assert [entry.notes for entry in found.time] == ["look_up"]
    assert len(found.outcomes) == 1
    assert found.cost == ["0.00135"]
    assert "-late-" in found.expenses[0].metadata["keito"]["key"]
    assert len({record.metadata["session_id"] for record in [*found.time, *found.outcomes, *found.expenses]}) == 1
    assert paid.open_runs == 0


def test_a_late_call_that_fails_or_reports_nothing_is_told(
    model: Any, paid: KeitoCallbackHandler, bill: Any, later: Later
) -> None:
    def work(text: str) -> str:
        later.start(lambda: model(usage=None).invoke(text))
        later.start(lambda: model().invoke(text))
        return text

    RunnableLambda(work).invoke("hi", {"callbacks": [paid]})
    later.run()
    assert paid.flush().complete
    (expense,) = bill().expenses
    assert expense.metadata["keito"]["unpriced"] == [
        {"model": "gpt-5-mini-2025-08-07", "reason": "not reported", "calls": 1}
    ]


def test_a_late_call_that_ends_too_late_for_that_is_a_run_by_itself(
    model: Any, billing: AgentBilling, keito_client: Any, bill: Any, later: Later
) -> None:
    grace = 0.5
    handler = KeitoCallbackHandler(AgentBilling(billing.policy, keito_client, late_grace=grace))

    class Slow(model):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            handler.flush()  # what is late has no more time than this
            threading.Event().wait(grace + 0.1)
            return super()._generate(*args, **kwargs)

    def work(text: str) -> str:
        later.start(lambda: Slow().invoke(text))
        return text

    RunnableLambda(work).invoke("hi", {"callbacks": [handler]})
    later.run()
    handler.flush()
    found = bill()
    assert sorted(found.tokens) == [(0, 0), (1000, 100)]
    assert found.cost == ["0.00045"]
    assert len({entry.metadata["session_id"] for entry in found.time}) == 1


@pytest.mark.parametrize("block", [False, True])
def test_a_chain_that_begins_after_the_end_is_a_run_for_the_same_client(
    model: Any, billing: AgentBilling, config: Any, bill: Any, later: Later, other: str, block: bool
) -> None:
    def work(text: str) -> str:
        later.start(lambda: (RunnableLambda(str) | model()).invoke(text, config))
        return text

    if block:
        with billing.run("Request", project_id=other, session_id="chat-1"):
            work("hi")
    else:
        about = {"keito_project_id": other, "keito_session_id": "chat-1"}
        RunnableLambda(work).invoke("hi", {**config, "metadata": about})
    later.run()
    found = bill()
    assert sorted(found.tokens) == [(0, 0), (1000, 100)]
    assert [(expense.project_id, found.cost) for expense in found.expenses] == [(other, ["0.00045"])]
    assert {entry.project_id for entry in found.time} == {other}
    assert {entry.metadata["session_id"] for entry in found.time} == {"chat-1"}


def test_what_follows_a_stream_that_was_left_is_no_late_work_of_it(
    model: Any, billing: AgentBilling, keito_client: Any, bill: Any
) -> None:
    config: Any = {"callbacks": [KeitoCallbackHandler(billing)], "metadata": {"keito_session_id": "left"}}
    stream = (RunnableLambda(str) | model()).stream("hi", config)
    next(stream)
    contextvars.copy_context().run(stream.close)  # as the garbage collector may do
    model().invoke("hi", {"callbacks": config["callbacks"]})
    (RunnableLambda(str) | model()).invoke("hi", {"callbacks": config["callbacks"]})
    found = bill()
    assert sorted(found.tokens) == [(0, 0), (1000, 100), (1000, 100)]
    assert [entry.metadata["session_id"] for entry in found.time].count("left") == 1


def test_a_late_call_that_never_ends_is_told_and_leaves_nothing_open(
    model: Any, billing: AgentBilling, bill: Any, later: Later
) -> None:
    handler = KeitoCallbackHandler(billing, abandon_after=0.2)

    def work(text: str) -> str:
        later.start(lambda: streams.append(model().stream(text)) or next(streams[0]))
        return text

    streams: list[Any] = []
    RunnableLambda(work).invoke("hi", {"callbacks": [handler]})
    later.run()
    deadline = time.monotonic() + 20
    while handler.open_runs:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    supplement, entry = sorted(bill().time, key=lambda entry: "unpriced" not in entry.metadata["keito"])
    assert supplement.metadata["keito"]["unpriced"] == [
        {"model": "gpt-5-mini", "reason": "did not end before its run", "calls": 1}
    ]
    assert (supplement.duration_seconds, supplement.metadata["session_id"]) == (0, entry.metadata["session_id"])


def test_a_chain_that_outlives_its_block_for_long_is_billed_to_its_end(
    model: Any, billing: AgentBilling, keito_client: Any, bill: Any, other: str
) -> None:
    grace = 0.2
    spends = AgentBilling(billing.policy, keito_client, late_grace=grace)
    handler = KeitoCallbackHandler(spends)

    ended = threading.Event()

    def wait(text: Any) -> str:
        assert ended.wait(30)
        spends.flush()
        threading.Event().wait(2 * grace)
        return "again"

    with spends.run("Request", project_id=other, session_id="chat-1"):
        chain = RunnableLambda(wait) | model() | RunnableLambda(wait) | model()
        thread = threading.Thread(
            target=contextvars.copy_context().run, args=(chain.invoke, "hi", {"callbacks": [handler]})
        )
        thread.start()
        while not handler.open_runs:
            time.sleep(0.01)
    ended.set()
    thread.join(30)
    spends.flush()
    found = bill()
    assert sum(tokens for tokens, _ in found.tokens) == 2000
    assert found.cost == ["0.0009"]
    assert {record.project_id for record in [*found.time, *found.expenses]} == {other}
    assert {record.metadata["session_id"] for record in [*found.time, *found.expenses]} == {"chat-1"}
    assert handler.open_runs == 0
