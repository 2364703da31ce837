"""However a kickoff ends, what it has spent is billed, once, and the program gets what it would have got."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import pytest
from keito_crewai import BilledCrew, BilledFlow

from keito.billing import Budget, Outcome
from keito.billing.exceeded import KeitoBudgetExceeded


class BrokenError(Exception):
    pass


def raising(error: BaseException) -> Any:
    def fail(value: Any) -> Any:
        raise error

    return fail


def failing_tool(error: BaseException) -> Any:
    from crewai.tools import tool

    @tool("look_up")
    def look_up(query: str) -> str:
        """Look something up."""
        raise error

    return look_up


USE_TOOL = {"name": "look_up", "arguments": {"query": "bees"}}


def crew_of_two(kit: Any, **second: Any) -> Any:
    return kit.crew(kit.task(kit.agent()), kit.task(kit.agent(role="Writer"), **second))


def test_an_error_is_the_programs_and_the_model_calls_are_billed(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    error = BrokenError("no")
    with pytest.raises(BrokenError) as caught:
        BilledCrew(crew_of_two(kit, callback=raising(error)), billing).kickoff()
    assert caught.value is error
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    assert found.facts["status"] == "failed"
    assert len(found.expenses) == 1


@pytest.mark.parametrize("callbacks", ["before_kickoff_callbacks", "after_kickoff_callbacks"])
def test_an_error_in_a_callback_around_the_kickoff(
    kit: Any, billing: Any, bill: Any, stub: Any, callbacks: str
) -> None:
    error = BrokenError("no")
    with pytest.raises(BrokenError) as caught:
        BilledCrew(kit.crew(**{callbacks: [raising(error)]}), billing).kickoff()
    assert caught.value is error
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    assert found.facts["status"] == "failed"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interruption(kit: Any, billing: Any, bill: Any, stub: Any, kind: type[BaseException]) -> None:
    with pytest.raises(kind):
        BilledCrew(crew_of_two(kit, callback=raising(kind())), billing).kickoff()
    found = bill(billing)
    assert len(stub.served) == 2
    assert found.tokens == [stub.tokens()]
    assert found.facts["status"] == ("cancelled" if kind is KeyboardInterrupt else "failed")


async def until(condition: Any) -> None:
    async with asyncio.timeout(20) if hasattr(asyncio, "timeout") else contextlib.AsyncExitStack():
        while not condition():  # noqa: ASYNC110 - the stub is in another thread
            await asyncio.sleep(0.005)


def test_a_cancelled_task(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    crew = BilledCrew(crew_of_two(kit), billing)

    async def cancelled_in_the_second_call() -> None:
        task = asyncio.ensure_future(crew.akickoff())
        await until(lambda: stub.served)
        stub.gate = threading.Event()
        await until(lambda: len(stub.served) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        stub.gate.set()  # the event loop waits for the threads that wait for this

    asyncio.run(cancelled_in_the_second_call())
    found = bill(billing)
    first = stub.served[0]
    assert found.tokens == [(first.tokens_in, first.tokens_out)]
    assert found.facts["status"] == "cancelled"
    assert found.details["usage_complete"] is False
    assert "usage_incomplete" in found.facts["flags"]
    assert "unpriced" in found.facts["flags"]


def test_a_dropped_coroutine_is_billed_for_what_it_did(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    from crewai.flow.flow import Flow, start

    class Waiting(Flow):  # type: ignore[misc]
        @start()
        async def only(self) -> None:
            kit.llm().call("mark")
            await asyncio.Event().wait()

    async def drop() -> None:
        task = asyncio.ensure_future(BilledFlow(Waiting(), billing).kickoff_async())
        await until(lambda: stub.served)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(drop())
    assert bill(billing).tokens == [stub.tokens()]


def test_a_call_that_outlives_its_run_becomes_a_supplement(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    import contextvars

    from crewai.tools import tool

    threads: list[threading.Thread] = []
    llm = kit.llm()

    @tool("look_up")
    def look_up(query: str) -> str:
        """Look something up, later."""
        threads.append(threading.Thread(target=contextvars.copy_context().run, args=(llm.call, "late-mark")))
        threads[0].start()
        return "soon"

    stub.script.append(USE_TOOL)
    stub.gate, stub.gated = threading.Event(), "late-mark"
    BilledCrew(kit.crew(kit.task(kit.agent(llm, tools=[look_up]))), billing, patience=0.3).kickoff()
    stub.gate.set()
    threads[0].join()
    from crewai.events.event_bus import crewai_event_bus

    crewai_event_bus.flush()
    found = bill(billing)
    assert found.details["usage_complete"] is False
    models = [(expense.metadata or {})["model"] for expense in found.expenses]
    assert (sum(m["tokens_in"] for m in models), sum(m["tokens_out"] for m in models)) == stub.tokens()
    late = stub.tokens("late-mark")
    assert late in [(m["tokens_in"], m["tokens_out"]) for m in models]


@pytest.mark.parametrize("status", [429, 500])
def test_retries_count_what_was_answered(kit: Any, billing: Any, bill: Any, stub: Any, status: int) -> None:
    stub.script.extend([status, status])
    crew = BilledCrew(kit.crew(kit.task(kit.agent(kit.llm(max_retries=0)))), billing)
    assert crew.kickoff().raw == "done."
    found = bill(billing)
    assert stub.asked == 3
    assert found.tokens == [stub.tokens()]
    assert found.facts["calls"] == 1
    assert found.facts["failed_calls"] == 2
    assert "unpriced" not in found.facts.get("flags", [])


def test_failed_calls_cost_nothing(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    stub.answer = lambda body: 500
    with pytest.raises(Exception, match="refused with 500"):
        BilledCrew(kit.crew(kit.task(kit.agent(kit.llm(max_retries=0)))), billing).kickoff()
    found = bill(billing)
    assert (found.tokens, found.expenses) == ([(0, 0)], [])
    assert found.facts["failed_calls"] == stub.asked
    assert "flags" not in found.facts


def test_a_budget_stops_the_crew_where_that_is_asked(
    kit: Any, make_billing: Any, policy: Any, bill: Any, stub: Any
) -> None:
    from dataclasses import replace

    billing = make_billing(replace(policy, budget=Budget(max_calls=1, stop=True)))
    with pytest.raises(KeitoBudgetExceeded, match="calls 1 of 1"):
        BilledCrew(crew_of_two(kit), billing).kickoff()
    found = bill(billing)
    assert len(stub.served) == 1
    assert found.tokens == [stub.tokens()]
    assert found.facts["status"] == "failed"


def test_a_budget_that_stops_nothing_only_says_so(
    kit: Any, make_billing: Any, policy: Any, bill: Any, stub: Any
) -> None:
    from dataclasses import replace

    billing = make_billing(replace(policy, budget=Budget(max_calls=1)))
    BilledCrew(crew_of_two(kit), billing).kickoff()
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    assert "budget_exceeded" in found.facts["flags"]


def test_outcomes_by_policy_by_task_and_by_tool(kit: Any, make_billing: Any, policy: Any, bill: Any, stub: Any) -> None:
    from dataclasses import replace

    from crewai.tools import tool

    from keito.metering import log_outcome

    @tool("look_up")
    def look_up(query: str) -> str:
        """Look something up."""
        log_outcome(Outcome("looked_up", 1))
        return "found"

    stub.script.append(USE_TOOL)
    billing = make_billing(
        replace(policy, outcome=lambda run, result: Outcome("report", 5, evidence={"r": result.raw}))
    )
    tasks = kit.task(kit.agent(tools=[look_up]), name="look"), kit.task(kit.agent(role="Writer"), name="write")
    outcomes = {"write": lambda output: Outcome("words", 0.5, quantity=len(output.raw.split())), "other": Outcome("x")}
    BilledCrew(kit.crew(*tasks), billing, task_outcomes=outcomes).kickoff()
    found = bill(billing)
    billed = {entry.metadata["outcome_type"]: entry.metadata["outcome_quantity"] for entry in found.outcomes}
    assert billed == {"looked_up": 1, "words": 1, "report": 1}
    assert found.tokens == [stub.tokens()]


def test_a_failed_run_bills_no_outcome_of_its_tasks(kit: Any, billing: Any, bill: Any) -> None:
    crew = kit.crew(
        kit.task(kit.agent(), name="look"), kit.task(kit.agent(role="Writer"), callback=raising(BrokenError("no")))
    )
    with pytest.raises(BrokenError):
        BilledCrew(crew, billing, task_outcomes={"look": Outcome("looked", 1)}).kickoff()
    found = bill(billing)
    assert found.outcomes == []
    assert "outcomes_not_billed" in found.facts["flags"]


def test_an_outage_of_the_billing_does_not_reach_the_crew(kit: Any, policy: Any, stub: Any) -> None:
    from keito import Keito
    from keito.billing import AgentBilling

    away = Keito(api_key="k", account_id="a", base_url="http://127.0.0.1:9", max_retries=0)
    crew = BilledCrew(kit.crew(), AgentBilling(policy, away))
    assert crew.kickoff().raw == "done."
    assert not crew.flush(1).complete
