import asyncio
import contextvars
import logging
import threading
from decimal import Decimal
from types import SimpleNamespace

import pytest

from keito.metering import AgentRun, NoUsage, Outcome, RunStatus, current_run, log_outcome


def test_children_roll_up_into_their_root_once() -> None:
    root = AgentRun("root")
    root.record_llm_call(input_tokens=1)
    with root.child("a") as child, child.child("b") as grandchild:
        child.record_llm_call(input_tokens=2)
        grandchild.record_llm_call(input_tokens=3)
        grandchild.log_outcome(Outcome("done"))
    assert [call.usage.input_tokens for call in root.calls if call.usage] == [1, 2, 3]
    assert [outcome.type for outcome in root.outcomes] == ["done"]
    assert child.session_id == root.session_id == root.uid


def test_events_from_many_threads_are_all_kept() -> None:
    run = AgentRun("busy")
    begin = threading.Barrier(8)

    def work() -> None:
        begin.wait()
        for _ in range(200):
            run.child().record_llm_call(input_tokens=1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(run.calls) == 1600


def test_the_duration_is_of_the_monotonic_clock_and_stops_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5_000_000_000]
    monkeypatch.setattr("keito.metering.stopwatch.time", SimpleNamespace(perf_counter_ns=lambda: now[0]))
    run = AgentRun()
    now[0] += 1_500_000_000
    assert run.duration_ns == 1_500_000_000
    assert run.end()
    now[0] += 1_000_000_000
    assert run.duration_ns == 1_500_000_000


def test_only_the_first_end_counts() -> None:
    run = AgentRun()
    assert run.end(RunStatus.FAILED)
    assert not run.end(RunStatus.COMPLETED)
    assert run.status is RunStatus.FAILED


def test_late_events_are_ignored_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    run = AgentRun("early")
    child = run.child()
    run.end()
    with caplog.at_level(logging.WARNING, "keito.billing"):
        assert not run.record_llm_call(input_tokens=1)
        assert not child.log_outcome(Outcome("x"))
    assert (run.calls, run.outcomes, run.late_events) == ((), (), 2)
    assert [record.getMessage() for record in caplog.records] == [
        f"Run {run.uid} (early) had ended when more arrived (a model call); not billed"
    ]


def test_a_child_that_ended_may_still_report_while_its_root_runs() -> None:
    run = AgentRun()
    with run.child() as child:
        pass
    assert child.record_llm_call(input_tokens=1)
    assert len(run.calls) == 1


def test_unknown_usage_is_a_reason_and_not_zero() -> None:
    run = AgentRun()
    run.record_llm_call(model="gpt-5-mini")
    assert (run.calls[0].usage, run.calls[0].no_usage) == (None, NoUsage.NOT_REPORTED)


def test_cache_writes_of_known_lifetime_are_part_of_all_cache_writes() -> None:
    run = AgentRun()
    run.record_llm_call(input_tokens=100, cache_write_5m_tokens=10, cache_write_1h_tokens=20, reported_cost="0.5")
    (call,) = run.calls
    assert call.usage is not None
    assert call.usage.cache_write_tokens == 30
    assert call.usage.problem is None
    assert call.reported_cost == Decimal("0.5")


def test_a_block_is_the_current_run_and_gives_the_outer_one_back() -> None:
    assert current_run() is None
    with AgentRun("outer") as outer:
        with outer.child("inner") as inner:
            assert current_run() is inner
            assert log_outcome(Outcome("x"))
        assert current_run() is outer
    assert current_run() is None
    assert [outcome.type for outcome in outer.outcomes] == ["x"]


def test_an_ended_run_is_nobodys_current_run() -> None:
    with AgentRun() as run:
        run.end()
        assert current_run() is None


def test_an_outcome_outside_of_any_run_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert not log_outcome(Outcome("ticket_resolved"))
    assert "ticket_resolved" in caplog.text


def test_the_current_run_follows_tasks_and_copied_contexts() -> None:
    async def inside() -> "AgentRun | None":
        return current_run()

    async def main() -> "list[AgentRun | None]":
        async with AgentRun("a") as run:
            found = await asyncio.gather(inside(), inside(), asyncio.to_thread(current_run))
            assert found == [run, run, run]
            return found

    asyncio.run(main())
    with AgentRun("b") as run:
        seen = contextvars.copy_context().run(current_run)
    assert seen is run
    # and it does not leak into what runs beside it
    assert contextvars.Context().run(current_run) is None


def test_runs_side_by_side_do_not_see_each_other() -> None:
    entered: list[str] = []

    async def one(name: str, all_entered: asyncio.Event) -> "str | None":
        with AgentRun(name):
            entered.append(name)
            if len(entered) == 5:
                all_entered.set()
            await all_entered.wait()
            run = current_run()
            return run.name if run else None

    async def main() -> "list[str | None]":
        all_entered = asyncio.Event()
        return await asyncio.gather(*(one(str(number), all_entered) for number in range(5)))

    assert asyncio.run(main()) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, RunStatus.COMPLETED),
        (ValueError(), RunStatus.FAILED),
        (asyncio.CancelledError(), RunStatus.CANCELLED),
        (GeneratorExit(), RunStatus.CANCELLED),
        (KeyboardInterrupt(), RunStatus.CANCELLED),
    ],
)
def test_how_a_block_is_left_says_how_the_run_ended(error: "BaseException | None", status: RunStatus) -> None:
    assert RunStatus.after(error) is status
