"""Runs and calls whose end comes late, or never."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoCallbackHandler
from keito_langchain import late as late_calls
from keito_langchain import table as tables
from keito_langchain.nodes import ModelStart
from langchain_core.callbacks import CallbackManager
from langchain_core.runnables import RunnableLambda, RunnableParallel

from keito.billing import AgentBilling
from keito.metering import current_run


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return found


@pytest.fixture
def gated(model: Any) -> Any:
    """The class of a model whose asynchronous answer waits for `release`."""

    class Gated(model):  # type: ignore[misc]
        begun: Any
        release: Any

        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            self.begun.set()
            await self.release.wait()
            return self._generate([])

    return Gated


async def fail_while(gated: Any, config: Any) -> None:
    """A run that fails while a model in it is still asked."""
    asked, release = asyncio.Event(), asyncio.Event()

    async def fail(text: str) -> str:
        await asked.wait()
        raise ValueError("branch")

    with pytest.raises(ValueError, match="branch"):
        await RunnableParallel(slow=gated(begun=asked, release=release), bad=RunnableLambda(fail)).ainvoke("hi", config)
    release.set()
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))


def test_usage_that_arrives_after_the_end_is_billed_beside_it(
    gated: Any, config: Any, bill: Any, billing: AgentBilling, handler: KeitoCallbackHandler
) -> None:
    asyncio.run(fail_while(gated, config))
    found = bill()
    assert [expense.total_cost for expense in found.expenses] == [pytest.approx(0.00045)]
    (expense,) = found.expenses
    assert "-late-" in expense.metadata["keito"]["key"]
    assert expense.metadata["session_id"] == found.time[0].metadata["session_id"]
    assert len({entry.metadata["keito"]["key"] for entry in [*found.time, *found.expenses]}) == len(found.time) + 1
    assert handler.open_runs == 0


def test_a_call_that_is_cancelled_by_itself_is_billed_when_its_run_is_given_up(
    gated: Any, billing: AgentBilling, bill: Any
) -> None:
    handler = KeitoCallbackHandler(billing, abandon_after=0.2)

    async def main() -> None:
        asked = asyncio.Event()
        task = asyncio.create_task(gated(begun=asked, release=asyncio.Event()).ainvoke("hi", {"callbacks": [handler]}))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert handler.open_runs == 1  # LangChain never tells of its end
    until(lambda: handler.open_runs == 0)
    found = until(lambda: bill() if bill().time else None)
    assert found.statuses == ["abandoned"]
    assert found.facts["unpriced"] == [{"model": "gpt-5-mini", "reason": "did not end before its run", "calls": 1}]
    assert (found.time[0].billable, found.time[0].hours) == (False, pytest.approx(0, abs=0.1 / 3600))


def test_a_run_that_is_given_up_has_the_time_and_calls_up_to_its_last_event(
    model: Any, billing: AgentBilling, bill: Any
) -> None:
    handler = KeitoCallbackHandler(billing, abandon_after=0.3)
    root, began = uuid4(), time.perf_counter()
    handler.on_chain_start(None, {}, run_id=root, name="Never ends")
    model().invoke("hi", {"callbacks": CallbackManager([handler], parent_run_id=root)})
    took = time.perf_counter() - began
    found = until(lambda: bill() if bill().time else None)
    assert (found.statuses, found.tokens, len(found.expenses)) == (["abandoned"], [(1000, 100)], 1)
    assert found.time[0].metadata["keito"]["duration_s"] <= took + 0.01
    handler.on_chain_end("late", run_id=root)
    assert len(bill().time) == 1


def test_a_run_that_works_is_not_given_up(model: Any, billing: AgentBilling, bill: Any) -> None:
    handler = KeitoCallbackHandler(billing, abandon_after=0.4)

    def work(text: str) -> str:
        until_then = time.monotonic() + 1.0
        while time.monotonic() < until_then:
            model().invoke(text)
            time.sleep(0.05)
        return text

    RunnableLambda(work).invoke("hi", {"callbacks": [handler]})
    assert bill().statuses == ["completed"]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(tables, "OPEN_LIMIT", 20)
    return 20


def test_too_many_open_runs_are_billed_as_far_as_they_are_known_and_counted(
    few: int, handler: KeitoCallbackHandler, bill: Any
) -> None:
    roots = [uuid4() for _ in range(few + 5)]
    for number, root in enumerate(roots):
        handler.on_chain_start(None, {}, run_id=root, name=f"run {number}")
    assert (handler.dropped_runs, handler.open_runs) == (5, few)
    assert bill().statuses == ["abandoned"] * 5
    assert sorted(entry.notes for entry in bill().time) == [f"run {number}" for number in range(5)]
    for root in roots:
        handler.on_chain_end("done", run_id=root)
    assert bill().statuses == ["abandoned"] * 5 + ["completed"] * few
    assert handler.open_runs == 0


def test_too_many_calls_that_never_end_inside_a_run_are_bounded_and_listed(
    few: int, handler: KeitoCallbackHandler, bill: Any
) -> None:
    root = uuid4()
    handler.on_chain_start(None, {}, run_id=root, name="Long")
    about = {"ls_provider": "openai", "ls_model_name": "gpt-5-mini"}
    for _ in range(few + 7):
        handler.on_chat_model_start({}, [[]], run_id=uuid4(), parent_run_id=root, metadata=about)
    assert handler.open_runs == few + 1
    handler.on_chain_end("done", run_id=root)
    assert bill().facts["unpriced"] == [
        {"model": "gpt-5-mini", "reason": "did not end before its run", "calls": few + 7}
    ]


def test_late_calls_are_remembered_for_a_while_and_not_without_end(
    handler: KeitoCallbackHandler, billing: AgentBilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_calls, "_LIMIT", 10)
    calls = late_calls.LateCalls()
    ids, run = [uuid4() for _ in range(12)], billing.start("x")
    start: Any = object()
    for run_id in ids:
        calls.add(run_id, run, start)
    assert [calls.take(run_id) is None for run_id in ids] == [True] * 2 + [False] * 10
    monkeypatch.setattr(late_calls, "_GRACE_NS", -1)
    calls.add(ids[0], run, start)
    calls.add(ids[1], run, start)
    assert calls.take(ids[0]) is None
    billing.finish(run)


def test_finished_runs_leave_nothing_and_open_ones_little(handler: KeitoCallbackHandler, model: Any) -> None:
    root = uuid4()
    handler.on_chain_start(None, {}, run_id=root, name="Open")
    about = {"ls_provider": "openai", "ls_model_name": "gpt-5-mini"}
    ids = [uuid4() for _ in range(1001)]
    handler.on_chat_model_start({}, [[]], run_id=ids[-1], parent_run_id=root, metadata=about)
    gc.collect()
    tracemalloc.start()
    for run_id in ids[:-1]:
        handler.on_chat_model_start({}, [[]], run_id=run_id, parent_run_id=root, metadata=about)
    size = tracemalloc.get_traced_memory()[0] / 1000
    tracemalloc.stop()
    assert size <= 600
    for run_id in ids:
        handler.on_llm_error(ValueError("down"), run_id=run_id)
    handler.on_chain_end("done", run_id=root)
    assert handler.open_runs == 0


PROGRAM = """
import os, uuid
from keito_langchain import KeitoCallbackHandler
from langchain_core.callbacks import CallbackManager
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

usage = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
about = {"model_name": "gpt-5-mini", "model_provider": "openai"}
answer = AIMessage("ok", usage_metadata=usage, response_metadata=about)
handler, root = KeitoCallbackHandler(), uuid.uuid4()
handler.on_chain_start(None, {}, run_id=root, name="Cut off")
model = GenericFakeChatModel(messages=iter([answer]))
model.invoke("hi", {"callbacks": CallbackManager([handler], parent_run_id=root)})
"""


def run_program(program: str, sandbox_environment: Any, tmp_path: Any, **variables: str) -> Any:
    environment = sandbox_environment(KEITO_OUTBOX_URL=f"sqlite:///{tmp_path}/outbox.db", **variables)
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_is_open_when_the_program_ends_is_billed(sandbox_environment: Any, tmp_path: Any, bill: Any) -> None:
    ended = run_program(PROGRAM, sandbox_environment, tmp_path)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    found = bill()
    assert (found.statuses, found.tokens, len(found.expenses)) == (["abandoned"], [(1000, 100)], 1)


def test_a_process_that_is_forked_bills_only_what_it_does_itself(
    sandbox_environment: Any, tmp_path: Any, bill: Any
) -> None:
    fork = """
    answers = iter([answer, answer])
    child = os.fork() if hasattr(os, "fork") else 1
    if child == 0:
        GenericFakeChatModel(messages=answers).invoke("hi", {"callbacks": [handler], "run_name": "Child"})
        handler.on_chain_end("not mine", run_id=root)
        assert handler.open_runs == 0
        handler.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    handler.on_chain_end("done", run_id=root)
    """
    ended = run_program(PROGRAM + textwrap.dedent(fork), sandbox_environment, tmp_path, PYTHONWARNINGS="ignore")
    assert ended.returncode == 0, ended.stderr
    found = bill()
    assert sorted((entry.notes, entry.metadata["keito"]["status"]) for entry in found.time) == [
        ("Child", "completed"),
        ("Cut off", "completed"),
    ]
    assert found.tokens == [(1000, 100)] * 2


@pytest.mark.skipif(sys.version_info < (3, 11), reason="LangChain loses the callbacks of such tasks")
def test_a_call_that_a_task_makes_after_the_end_is_billed_beside_the_run(model: Any, config: Any, bill: Any) -> None:
    async def main() -> None:
        ended, tasks = asyncio.Event(), []

        async def later() -> None:
            await ended.wait()
            await model().ainvoke("later")

        async def work(text: str) -> str:
            tasks.append(asyncio.create_task(later()))
            return text

        await RunnableLambda(work).ainvoke("hi", config)
        ended.set()
        await asyncio.gather(*tasks)

    asyncio.run(main())
    found = bill()
    assert (found.tokens, found.cost) == ([(0, 0)], ["0.00045"])
    assert "-late-" in found.expenses[0].metadata["keito"]["key"]
    assert current_run() is None


def test_fifty_runs_at_a_time_share_a_handler(model: Any, config: Any, bill: Any, handler: Any) -> None:
    async def main() -> None:
        await asyncio.gather(*((RunnableLambda(str) | model()).ainvoke(str(number), config) for number in range(50)))

    asyncio.run(main())
    assert bill().tokens == [(1000, 100)] * 50
    assert handler.open_runs == 0


def test_an_abandoned_generator_is_given_up_at_last(model: Any, billing: AgentBilling, bill: Any) -> None:
    handler = KeitoCallbackHandler(billing, abandon_after=0.2)
    stream = (RunnableLambda(str) | model()).stream("hi", {"callbacks": [handler]})
    next(stream)
    found = until(lambda: bill() if bill().time else None)
    assert found.statuses == ["abandoned"]
    stream.close()
    assert len(bill().time) == 1


@pytest.fixture(autouse=True)
def no_watch_is_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name == "keito-langchain-watch" and isinstance(thread, threading.Timer):
            thread.cancel()


def test_calls_that_have_ended_are_forgotten_though_the_context_knows_the_last(
    model: Any, config: Any, handler: KeitoCallbackHandler
) -> None:
    def known() -> int:
        gc.collect()
        return sum(type(one) is ModelStart for one in gc.get_objects())

    before = known()
    for _ in range(50):
        model().invoke("hi", config)
        list(model().stream("hi", config))
    assert known() <= before + 1
