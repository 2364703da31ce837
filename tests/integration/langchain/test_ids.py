"""Runs that the program gives an id of its own: however often it gives the same one, each is billed by itself, once."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoCallbackHandler
from langchain_core.runnables import RunnableConfig, RunnableLambda

from keito.billing import AgentBilling

ONE = (1000, 100)


def keys_of(found: Any) -> set[str]:
    return {record.metadata["keito"]["key"] for record in [*found.time, *found.expenses]}


@pytest.fixture(params=["once", "twice", "by two handlers"])
def named(request: pytest.FixtureRequest, billing: AgentBilling, handler: KeitoCallbackHandler) -> RunnableConfig:
    """A config with an id, whose events are reported once or several times."""
    handlers = {"once": [handler], "twice": [handler, handler]}.get(
        request.param, [handler, KeitoCallbackHandler(billing)]
    )
    return RunnableConfig(run_id=uuid4(), callbacks=list(handlers))


def test_chains_of_one_id_at_a_time_are_runs_by_themselves(
    model: Any, named: RunnableConfig, handler: KeitoCallbackHandler, bill: Any
) -> None:
    begun: list[int] = []

    async def main() -> None:
        all_there = asyncio.Event()

        async def work(times: int, config: RunnableConfig) -> int:
            begun.append(times)
            if len(begun) == 3:
                all_there.set()
            await all_there.wait()
            for _ in range(times):
                await model().ainvoke("hi", config)
                await asyncio.sleep(0)
            return times

        await asyncio.gather(*(RunnableLambda(work).ainvoke(times, named) for times in (1, 2, 3)))

    asyncio.run(main())
    found = bill()
    assert sorted(found.tokens) == [ONE, (2000, 200), (3000, 300)]
    assert sorted(found.cost) == ["0.00045", "0.0009", "0.00135"]
    assert len(keys_of(found)) == 6
    assert handler.open_runs == 0


def test_models_of_one_id_at_a_time_are_runs_by_themselves(
    model: Any, named: RunnableConfig, handler: KeitoCallbackHandler, bill: Any
) -> None:
    begun: list[int] = []

    class Waiting(model):
        all_there: Any

        async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            begun.append(1)
            if len(begun) == 3:
                self.all_there.set()
            await self.all_there.wait()
            return self._generate(messages)

    async def main() -> None:
        all_there = asyncio.Event()
        await asyncio.gather(*(Waiting(all_there=all_there).ainvoke("hi", named) for _ in range(3)))

    asyncio.run(main())
    found = bill()
    assert (found.tokens, found.cost) == ([ONE] * 3, ["0.00045"] * 3)
    assert len(keys_of(found)) == 6
    assert handler.open_runs == 0


def test_a_run_of_an_id_whose_first_run_was_left_is_billed(
    model: Any, named: RunnableConfig, handler: KeitoCallbackHandler, bill: Any
) -> None:
    left = (RunnableLambda(str) | model()).stream("hi", named)
    next(left)  # it goes on for as long as somebody could read on
    for _ in range(2):
        (RunnableLambda(str) | model()).invoke("hi", named)
    assert bill().tokens == [ONE] * 2
    assert len(list(left)) > 0
    assert sorted(bill().tokens) == [ONE] * 3
    assert handler.open_runs == 0


def test_work_inside_a_run_that_has_its_id_belongs_to_it(
    model: Any, named: RunnableConfig, handler: KeitoCallbackHandler, bill: Any
) -> None:
    def work(text: str) -> str:
        again = RunnableConfig(run_id=named["run_id"])
        model().invoke(text, again)
        (RunnableLambda(str) | model()).invoke(text, again)
        return text

    RunnableLambda(work).invoke("hi", named)
    found = bill()
    assert (found.tokens, found.cost) == ([(2000, 200)], ["0.0009"])
    assert handler.open_runs == 0


def test_an_id_may_be_any_object(model: Any, handler: KeitoCallbackHandler, bill: Any) -> None:
    handler.on_chain_start(None, "hi", run_id="request-7", name="By hand")  # type: ignore[arg-type]
    handler.on_chain_end("done", run_id="request-7")  # type: ignore[arg-type]
    assert [entry.notes for entry in bill().time] == ["By hand"]


def test_threads_that_use_one_id_at_a_time_are_runs_by_themselves(
    model: Any, named: RunnableConfig, handler: KeitoCallbackHandler, bill: Any
) -> None:
    together = threading.Barrier(6)
    chain = RunnableLambda(str) | model()

    def work() -> None:
        for _ in range(10):
            together.wait(timeout=30)
            chain.invoke("hi", named)

    threads = [threading.Thread(target=work) for _ in range(6)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    found = bill()
    assert found.tokens == [ONE] * 60
    assert len(keys_of(found)) == 120
    assert handler.open_runs == 0
