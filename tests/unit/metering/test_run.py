import asyncio
import contextvars
import decimal
import logging
import threading
from datetime import datetime, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from keito.metering import (
    AgentRun,
    LLMCall,
    NoUsage,
    OtherUsage,
    Outcome,
    RunStatus,
    Usage,
    check_budget,
    current_run,
    log_outcome,
    record_llm_call,
)
from keito.metering.events import CALLS_KEPT


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


class Ledger:
    """Keeps what a run hands over."""

    def __init__(self) -> None:
        self.folded: list[LLMCall] = []
        self.noted = 0
        self.checks = 0

    def fold(self, call: LLMCall) -> None:
        self.folded.append(call)

    def note(self, call: LLMCall, instead_of: "LLMCall | None" = None) -> None:
        self.noted += instead_of is None

    def note_usage(self, usage: OtherUsage) -> None:
        self.noted += 1

    def note_outcome(self, outcome: Outcome) -> None:
        self.noted += 1

    def check(self) -> None:
        self.checks += 1


def test_with_a_ledger_a_run_keeps_its_first_calls_and_hands_over_the_others() -> None:
    ledger = Ledger()
    run = AgentRun(ledger=ledger)
    count = CALLS_KEPT + 44
    for number in range(count):
        assert run.child().record_llm_call(input_tokens=number)
    assert [call.usage.input_tokens for call in run.calls if call.usage] == list(range(CALLS_KEPT))
    assert [call.usage.input_tokens for call in ledger.folded if call.usage] == list(range(CALLS_KEPT, count))
    assert ledger.noted == count


def test_an_answer_that_is_reported_twice_counts_once_in_a_run_and_its_children() -> None:
    run = AgentRun()
    assert run.record_llm_call(input_tokens=1, response_id="msg_01XFDUDYJgAACzvnptvVoYEL")
    assert not run.child().record_llm_call(input_tokens=2, response_id="msg_01XFDUDYJgAACzvnptvVoYEL")
    assert run.record_llm_call(input_tokens=3, response_id="msg_01XFDUDYJgAACzvnptvVoYEM")
    assert [call.usage.input_tokens for call in run.calls if call.usage] == [1, 3]
    assert (run.repeated_calls, run.late_events) == (1, 0)
    # Another run is another bill.
    assert AgentRun().record_llm_call(input_tokens=2, response_id="msg_01XFDUDYJgAACzvnptvVoYEL")


def test_a_cached_answer_has_the_id_of_the_first_one_and_is_a_call_of_its_own() -> None:
    run = AgentRun()
    run.record_llm_call(input_tokens=1, response_id="a")
    assert run.record_llm_call(input_tokens=1, response_id="a", cached=True)
    assert [call.cached for call in run.calls] == [False, True]


def test_ids_of_answers_are_remembered_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keito.metering.answers.IDS_KEPT", 10)
    run = AgentRun()
    for number in range(12):
        run.record_llm_call(input_tokens=1, response_id=str(number))
    assert not run.record_llm_call(input_tokens=1, response_id="11")
    assert run.record_llm_call(input_tokens=1, response_id="0")


def test_a_child_with_a_project_or_task_of_its_own_is_a_root() -> None:
    run = AgentRun("around", session_id="s", attributes={"tenant": "acme"})
    for fields in ({"project_id": "p"}, {"task_id": "t"}):
        own = run.child("own", **fields)
        assert own.root is own
        assert (own.parent_id, own.session_id, own.attributes) == (run.uid, "s", {"tenant": "acme"})
        own.record_llm_call(input_tokens=5)
        own.log_outcome(Outcome("x"))
        own.end()
    assert (run.calls, run.outcomes, run.is_open) == ((), (), True)


def test_the_end_of_a_root_is_not_the_end_of_a_child_that_is_billed_by_itself() -> None:
    run = AgentRun()
    own = run.child(project_id="p")
    run.end()
    assert own.is_open
    assert own.record_llm_call(input_tokens=1)


def test_other_usage_is_added_up_by_name_and_unit() -> None:
    run = AgentRun()
    run.record_usage("web_search", cost="0.01")
    run.child().record_usage("web_search", 2, cost=0.02)
    run.record_usage("embedding", 1200, unit="token")
    assert run.other_usage == (
        OtherUsage("web_search", "call", Decimal(3), Decimal("0.03")),
        OtherUsage("embedding", "token", Decimal(1200)),
    )
    run.end()
    assert not run.record_usage("web_search")


def test_kinds_of_other_usage_are_bounded_and_their_cost_is_complete() -> None:
    run = AgentRun()
    with decimal.localcontext(decimal.Context(prec=2)):
        for number in range(1000):
            run.record_usage(f"tool-{number}", cost="0.001")
    assert len(run.other_usage) == 65
    assert run.other_usage[-1] == OtherUsage("(others)", "use", Decimal(936), Decimal("0.936"))


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "x" * 101}, {"name": "x", "quantity": -1}, {"name": "x", "cost": "much"}])  # fmt: skip # noqa: E501
def test_wrong_usage_is_refused(fields: "dict[str, Any]") -> None:
    with pytest.raises(ValueError, match=r"usage|quantity|cost"):
        AgentRun().record_usage(**fields)


def test_quality_is_the_roots() -> None:
    run = AgentRun()
    run.child().set_quality(confidence=0.9)
    run.set_quality(human_reviewed=True)
    assert (run.confidence, run.human_reviewed) == (Decimal("0.9"), True)
    with pytest.raises(ValueError, match="between 0 and 1"):
        run.set_quality(confidence="1.01")


def test_a_call_may_tell_its_own_time_which_needs_a_zone() -> None:
    run, then = AgentRun(), datetime(2025, 5, 1, tzinfo=timezone.utc)
    run.record_llm_call(input_tokens=1, started_at=then)
    assert run.calls[0].started_at == then
    with pytest.raises(ValueError, match="time zone"):
        run.record_llm_call(input_tokens=1, started_at=then.replace(tzinfo=None))


def test_calls_are_recorded_from_anywhere_inside(caplog: pytest.LogCaptureFixture) -> None:
    assert not record_llm_call(model="gpt-5-mini", input_tokens=1)
    assert "gpt-5-mini" in caplog.text

    async def main() -> None:
        async def part() -> None:
            assert record_llm_call(model="gpt-5-mini", input_tokens=1)

        await asyncio.gather(part(), asyncio.to_thread(record_llm_call, model="gpt-5", input_tokens=2))

    with AgentRun() as run:
        asyncio.run(main())
    assert sorted(str(call.model) for call in run.calls) == ["gpt-5", "gpt-5-mini"]


def test_the_budget_of_the_current_run_is_checked() -> None:
    ledger = Ledger()
    check_budget()
    with AgentRun(ledger=ledger) as run, run.child():
        check_budget()
    assert ledger.checks == 1


def test_details_that_a_provider_leaves_empty_are_nothing() -> None:
    run, empty = AgentRun(), cast("int", None)
    run.record_llm_call(input_tokens=5, output_tokens=1, cache_read_tokens=empty, reasoning_tokens=empty)
    assert run.calls[0].usage == Usage(input_tokens=5, output_tokens=1)


@pytest.mark.parametrize("count", ["many", 1.5, float("nan"), float("inf")])
def test_counts_are_whole_numbers(count: Any) -> None:
    run = AgentRun()
    with pytest.raises(ValueError, match="input_tokens is a whole number"):
        run.record_llm_call(input_tokens=count)
    assert run.record_llm_call(input_tokens=cast("int", 5.0))


def test_names_and_sessions_may_be_any_object() -> None:
    uid = uuid4()
    run = AgentRun(cast("str", 4821), session_id=cast("str", uid), trigger=cast("str", uid))
    run.set_notes(cast("str", 5))
    assert (run.name, run.session_id, run.trigger, run.notes) == ("4821", str(uid), str(uid), "5")
