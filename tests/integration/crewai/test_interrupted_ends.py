"""What happens while a run waits for the last events of its calls does not lose it."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from keito_crewai import BilledCrew, BilledFlow
from keito_crewai.calls import CallTable

from keito.billing import Budget
from keito.billing.exceeded import KeitoBudgetExceeded


def test_ctrl_c(kit: Any, billing: Any, bill: Any, stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Any, until: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(CallTable, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        BilledCrew(kit.crew(), billing).kickoff()
    assert bill(billing).tokens == [stub.tokens()]


def test_what_comes_after_an_interrupted_kickoff_is_not_its(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    from crewai.events.event_bus import crewai_event_bus

    def interrupt(output: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        BilledCrew(kit.crew(kit.task(kit.agent(), callback=interrupt)), billing).kickoff()
    spent = stub.tokens()
    kit.llm().call("for somebody else")
    crewai_event_bus.flush()
    found = bill(billing)
    models = [(expense.metadata or {})["model"] for expense in found.expenses]
    assert [(model["tokens_in"], model["tokens_out"]) for model in models] == [spent]


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancellation(
    kit: Any, billing: Any, bill: Any, stub: Any, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    waits, cancelled = threading.Event(), threading.Event()

    def wait(self: Any, until: float) -> bool:
        waits.set()
        return cancelled.wait(20)

    monkeypatch.setattr(CallTable, "wait", wait)

    async def cancel_at_the_end() -> None:
        task = asyncio.ensure_future(BilledCrew(kit.crew(), billing).akickoff())
        while not waits.is_set():  # noqa: ASYNC110 - it is set in another thread
            await asyncio.sleep(0.005)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_at_the_end())
    deadline = time.monotonic() + 20
    while not bill(billing).time:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert bill(billing).tokens == [stub.tokens()]


def test_an_error_after_a_budget_was_caught_is_the_programs(
    kit: Any, make_billing: Any, policy: Any, bill: Any, stub: Any
) -> None:
    from crewai.flow.flow import Flow, start

    error = LookupError("no answer")

    class Careful(Flow):  # type: ignore[misc]
        @start()
        def only(self) -> Any:
            try:
                return kit.crew(kit.task(kit.agent()), kit.task(kit.agent(role="Writer"))).kickoff()
            except KeitoBudgetExceeded:
                raise error from None

    billing = make_billing(replace(policy, budget=Budget(max_calls=1, stop=True)))
    with pytest.raises(LookupError) as caught:
        BilledFlow(Careful(), billing).kickoff()
    assert caught.value is error
    assert bill(billing).tokens == [stub.tokens()]


def test_what_crewai_counted_for_an_earlier_kickoff_is_not_repeated(kit: Any, billing: Any, bill: Any) -> None:
    done: list[Any] = []

    def fail_later(output: Any) -> None:
        done.append(output)
        if len(done) == 2:
            raise LookupError("no")

    crew = BilledCrew(kit.crew(kit.task(kit.agent(), callback=fail_later)), billing)
    crew.kickoff()
    with pytest.raises(LookupError):
        crew.kickoff()
    details = {entry.metadata["keito"]["status"]: entry.metadata["keito"]["details"] for entry in bill(billing).time}
    assert details["completed"]["crewai_reported_tokens"] > 0
    assert "crewai_reported_tokens" not in details["failed"]


def test_what_crewai_counted_in_a_flow_is_added_up_once(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    from crewai.flow.flow import Flow, start

    class OneCrew(Flow):  # type: ignore[misc]
        @start()
        def only(self) -> Any:
            return kit.crew().kickoff()

    BilledFlow(OneCrew(), billing).kickoff()
    assert bill(billing).details["crewai_reported_tokens"] == sum(stub.tokens())
