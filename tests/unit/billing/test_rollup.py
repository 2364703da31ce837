import gc
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keito.billing import AgentBilling, BillingPolicy, Outcome, Post
from keito.billing.records import cost_of
from keito.billing.rollup import Rollup
from keito.metering import AgentRun, RunStatus
from keito.outbox import BillingRecord, RecordKind
from keito.pricing import ExchangeRate, ModelPrice, PriceTable
from keito.types.given import METADATA_LIMIT, encode

MINUTE = 60 * 10**9
NINE = datetime(2026, 11, 20, 9, tzinfo=timezone.utc)


class Clock:
    def __init__(self) -> None:
        self.now = NINE

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rollup(clock: Clock) -> Rollup:
    return Rollup(clock, origin="here")


@pytest.fixture
def hourly(policy: BillingPolicy) -> BillingPolicy:
    return replace(policy, rollup="hour")


def run_of(
    minutes: "int | float" = 1,
    *,
    at: datetime = NINE,
    cost: "str | None" = None,
    status: RunStatus = RunStatus.COMPLETED,
    agent: str = "support-bot",
) -> AgentRun:
    run = AgentRun("work", agent_id=agent, started_at=at)
    if cost is not None:
        run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=100, reported_cost=cost)
    run.end(status, elapsed_ns=int(minutes * MINUTE))
    return run


def add(rollup: Rollup, policy: BillingPolicy, *runs: AgentRun) -> "list[BillingRecord]":
    return [record for run in runs for record in rollup.add(run, policy, cost_of(run, policy))]


def test_what_is_priced_later_is_only_what_is_charged_for(rollup: Rollup, hourly: BillingPolicy) -> None:
    policy = replace(hourly, failed=Post(expense=False))
    runs = [AgentRun("work", agent_id="support-bot", started_at=NINE) for _ in range(2)]
    for run, tokens, status in zip(runs, (10, 500), (RunStatus.COMPLETED, RunStatus.FAILED)):
        run.record_llm_call(provider="acme", model="acme-chat-1", input_tokens=tokens, started_at=NINE)
        run.end(status, elapsed_ns=MINUTE)
    assert add(rollup, policy, *runs) == []
    (entry,) = rollup.close_windows()
    facts = entry.body["metadata"]["keito"]
    assert [(gap["calls"], gap["tokens"]) for gap in facts["gaps"]] == [(1, {"input": 10})]
    assert facts["calls"] == 2


def test_many_runs_become_one_time_entry_and_one_expense(rollup: Rollup, hourly: BillingPolicy) -> None:
    runs = [run_of(6, at=NINE + timedelta(minutes=number), cost="0.0004") for number in range(10)]
    assert add(rollup, hourly, *runs) == []
    time, expense = rollup.close_windows()
    assert (time.kind, expense.kind) == (RecordKind.TIME_ENTRY, RecordKind.EXPENSE)
    assert time.body["hours"] == 1
    assert time.body["notes"] == "10 runs of support-bot, 09:00-10:00"
    assert time.body["metadata"]["keito"]["calls"] == 10
    assert time.body["metadata"]["keito"]["rollup"] == {
        "per": "hour",
        "start": "2026-11-20T09:00:00Z",
        "records": 10,
        "runs": {"completed": 10},
    }
    assert expense.body["total_cost"] == Decimal("0.004")
    assert expense.body["metadata"]["keito"]["cost_usd"] == "0.004"
    assert expense.body["metadata"]["model"]["tokens_in"] == 1000
    assert time.body["metadata"]["session_id"] == expense.body["metadata"]["session_id"]
    assert time.members == tuple(f"{run.uid}-time-0" for run in runs)
    assert expense.members == tuple(f"{run.uid}-expense-0" for run in runs)
    assert rollup.close_windows() == []


def test_ten_thousand_tiny_calls_are_not_rounded_to_nothing(rollup: Rollup, hourly: BillingPolicy) -> None:
    cents = replace(hourly, cost_decimals=2, rollup="day")
    records = add(rollup, cents, *(run_of(0, cost="0.0004") for _ in range(10_000)))
    records += rollup.close_windows()
    expenses = [record for record in records if record.kind is RecordKind.EXPENSE]
    assert sum(record.body["total_cost"] for record in expenses) == 4
    members = [key for record in records for key in record.members]
    assert len(members) == len(set(members)) == 20_000


def test_places_agents_and_hours_are_kept_apart(rollup: Rollup, hourly: BillingPolicy) -> None:
    add(rollup, hourly, run_of(), run_of(agent="other"), run_of(at=NINE + timedelta(hours=1)))
    add(rollup, replace(hourly, project_id="p2"), run_of())
    add(rollup, replace(hourly, task_id="t2"), run_of())
    records = rollup.close_windows()
    assert len(records) == 5
    assert len({record.key for record in records}) == 5


def test_a_window_that_is_over_is_given_with_the_next_run(rollup: Rollup, clock: Clock, hourly: BillingPolicy) -> None:
    first = run_of()
    assert add(rollup, hourly, first) == []
    assert rollup.next_end == NINE + timedelta(hours=1)
    clock.now = NINE + timedelta(minutes=59, seconds=59)
    assert rollup.due() == []
    clock.now = NINE + timedelta(hours=1)
    (record,) = add(rollup, hourly, run_of(at=clock.now))
    assert record.members == (f"{first.uid}-time-0",)
    assert rollup.next_end == NINE + timedelta(hours=2)


def test_a_window_that_was_sent_goes_on_as_another_record(rollup: Rollup, hourly: BillingPolicy) -> None:
    keys = []
    for _ in range(3):
        add(rollup, hourly, run_of(cost="1"))
        keys += [record.key for record in rollup.close_windows()]
    assert len(set(keys)) == 6
    places = {key.rsplit("-", 3)[0] for key in keys}
    assert len(places) == 1
    assert [key.rsplit("-", 3)[1] for key in keys] == ["0", "0", "1", "1", "2", "2"]


def test_keys_say_place_window_and_sequence(hourly: BillingPolicy, clock: Clock) -> None:
    found = []
    for _ in range(2):
        rollup = Rollup(clock, origin="here")
        add(rollup, hourly, run_of(cost="1"))
        found.append([record.key for record in rollup.close_windows()])
    assert found[0] == found[1]
    assert found[0][0].startswith("here-")
    assert found[0][0].endswith("-20261120T0900Z-0-time-0")
    assert len(found[0][0]) <= 64


def test_two_rollups_never_share_a_key(hourly: BillingPolicy, clock: Clock) -> None:
    keys = []
    for _ in range(2):
        rollup = Rollup(clock)
        add(rollup, hourly, run_of())
        keys += [record.key for record in rollup.close_windows()]
    assert len(set(keys)) == 2


def test_a_run_is_added_once(rollup: Rollup, hourly: BillingPolicy) -> None:
    run = run_of()
    add(rollup, hourly, run, run)
    (time,) = rollup.close_windows()
    assert time.members == (f"{run.uid}-time-0",)
    add(rollup, hourly, run)
    assert rollup.close_windows() == []


def test_what_failed_is_an_entry_of_its_own_that_is_not_billable(rollup: Rollup, hourly: BillingPolicy) -> None:
    add(rollup, hourly, run_of(30), run_of(6, status=RunStatus.FAILED, cost="0.5"), run_of(30, cost="0.25"))
    done, failed, expense = rollup.close_windows()
    assert (done.body["hours"], "billable" in done.body) == (1, False)
    assert (failed.body["hours"], failed.body["billable"]) == (Decimal("0.1"), False)
    assert failed.body["notes"] == "1 run of support-bot that did not complete, 09:00-10:00"
    assert expense.body["total_cost"] == Decimal("0.75")
    assert expense.body["metadata"]["keito"]["rollup"]["runs"] == {"completed": 2, "failed": 1}
    assert [record.body["metadata"]["keito"].get("calls") for record in (done, failed)] == [2, None]


def test_a_run_over_midnight_is_in_the_windows_of_both_days(rollup: Rollup, policy: BillingPolicy) -> None:
    berlin = replace(policy, rollup="day", timezone="Europe/Berlin")
    run = run_of(60, at=datetime(2026, 11, 20, 22, 30, tzinfo=timezone.utc), cost="1")
    records = [*add(rollup, berlin, run), *rollup.close_windows()]
    found = sorted((record.body["spent_date"], record.kind.value, record.members) for record in records)
    assert found == [
        ("2026-11-20", "time_entry", (f"{run.uid}-time-0",)),
        ("2026-11-21", "expense", (f"{run.uid}-expense-0",)),
        ("2026-11-21", "time_entry", (f"{run.uid}-time-1",)),
    ]


def test_more_than_24_hours_of_work_on_a_day_are_several_entries(rollup: Rollup, policy: BillingPolicy) -> None:
    add(rollup, replace(policy, rollup="day"), *(run_of(8 * 60, at=NINE) for _ in range(7)))
    records = rollup.close_windows()
    assert [record.body["hours"] for record in records] == [24, 24, 8]
    assert [len(record.members) for record in records] == [7, 0, 0]
    assert [record.body["metadata"]["keito"]["part"] for record in records] == ["1 of 3", "2 of 3", "3 of 3"]


def test_rounding_is_of_the_sum_and_not_of_each_run(rollup: Rollup, hourly: BillingPolicy) -> None:
    add(rollup, replace(hourly, rounding="up_15"), *(run_of(1) for _ in range(16)))
    (time,) = rollup.close_windows()
    assert time.body["hours"] == Decimal("0.5")


costs = st.lists(st.lists(st.integers(0, 10**8).map(lambda n: Decimal(n).scaleb(-7)), max_size=4), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(windows=costs, decimals=st.integers(0, 6), markup=st.sampled_from(["1", "1.2", "0.333"]))
def test_consecutive_rollups_never_lose_or_gain(
    policy: BillingPolicy, windows: "list[list[Decimal]]", decimals: int, markup: str
) -> None:
    rollup = Rollup(lambda: NINE)
    cents = replace(policy, rollup="hour", cost_decimals=decimals, markup=markup)
    posted, exact = Decimal(0), Decimal(0)
    for window in windows:
        records = add(rollup, cents, *(run_of(1, cost=str(cost)) for cost in window)) + rollup.close_windows()
        posted += sum((r.body["total_cost"] for r in records if r.kind is RecordKind.EXPENSE), Decimal(0))
        exact += sum(window, Decimal(0)) * Decimal(markup)
        assert posted + rollup.carried == exact
        assert abs(rollup.carried) <= Decimal(1).scaleb(-decimals)
        for record in records:
            carried = record.body["metadata"]["keito"].get("carried")
            assert carried is None or Decimal(carried["after"]) == rollup.carried


def test_one_expense_for_each_model_and_members_in_one_of_them(rollup: Rollup, hourly: BillingPolicy) -> None:
    run = AgentRun(agent_id="a", started_at=NINE)
    for model in ("a", "b"):
        run.record_llm_call(provider="p", model=model, input_tokens=5, reported_cost="0.5")
    run.record_usage("web_search", cost="0.25")
    run.end(elapsed_ns=MINUTE)
    add(rollup, replace(hourly, expense_per="model"), run)
    expenses = [record for record in rollup.close_windows() if record.kind is RecordKind.EXPENSE]
    assert [record.body["total_cost"] for record in expenses] == [Decimal("0.5"), Decimal("0.5"), Decimal("0.25")]
    assert [len(record.members) for record in expenses] == [1, 0, 0]


def test_what_is_switched_off_is_not_rolled_up(rollup: Rollup, hourly: BillingPolicy) -> None:
    add(rollup, replace(hourly, post=Post(time=False)), run_of(cost="1"))
    (expense,) = rollup.close_windows()
    assert expense.kind is RecordKind.EXPENSE
    add(rollup, replace(hourly, post=Post(expense=False)), run_of(cost="1"))
    (time,) = rollup.close_windows()
    assert time.body["metadata"]["keito"]["cost_usd"] == "1"


def test_the_metadata_of_a_busy_window_fits(rollup: Rollup, hourly: BillingPolicy) -> None:
    for number in range(300):
        run = AgentRun(started_at=NINE, agent_id="é" * 300)
        run.record_llm_call(provider="p" * 200, model=f"{number}" * 99, input_tokens=1)
        run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=10, reported_cost="0.1")
        run.record_usage(f"tool-{number}", cost="0.1")
        run.end(elapsed_ns=1)
        add(rollup, hourly, run)
    for record in rollup.close_windows():
        assert len(encode(record.body["metadata"])) <= METADATA_LIMIT
        assert record.body["metadata"]["keito"]["key"] == record.key


def test_windows_and_members_are_bounded(
    rollup: Rollup, hourly: BillingPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keito.billing.rollup._MOST_MEMBERS", 4)
    assert add(rollup, hourly, *(run_of(cost="1") for _ in range(3)))[0].members != ()
    rollup.close_windows()
    monkeypatch.setattr("keito.billing.rollup._MOST_WINDOWS", 2)
    sent = [record for n in range(5) for record in add(rollup, replace(hourly, project_id=f"p{n}"), run_of())]
    assert len(sent) == 3


def test_a_run_that_ends_in_the_midst_of_an_addition_is_not_lost(
    rollup: Rollup, hourly: BillingPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = [run_of()]

    def flags_of(*given: Any) -> "list[str]":
        if inner:
            add(rollup, hourly, inner.pop())  # as the garbage collector may
        return []

    monkeypatch.setattr("keito.billing.share.flags_of", flags_of)
    outer = run_of()
    members = {f"{run.uid}-time-0" for run in (outer, inner[0])}
    add(rollup, hourly, outer)
    (time,) = rollup.close_windows()
    assert set(time.members) == members


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_what_is_open_to_its_parent(rollup: Rollup, hourly: BillingPolicy) -> None:
    add(rollup, hourly, run_of())
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        os.write(write, str(len(rollup.close_windows())).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        assert answer.read() == b"0"
    assert len(rollup.close_windows()) == 1


def test_outcomes_are_posted_at_once_and_time_with_the_window(kept: Any, policy: BillingPolicy) -> None:
    billing = AgentBilling(policy, delivery=kept, rollup="day")
    for _ in range(3):
        with billing.run("work") as run:
            run.log_outcome(Outcome("done", 1))
    assert [record.kind for record in kept.records] == [RecordKind.OUTCOME] * 3
    billing.flush()
    assert [record.kind for record in kept.records[3:]] in ([RecordKind.TIME_ENTRY], [RecordKind.TIME_ENTRY] * 2)
    billing.close()


def test_a_billing_that_is_forgotten_sends_its_windows(kept: Any, policy: BillingPolicy) -> None:
    billing = AgentBilling(policy, delivery=kept, rollup="day")
    with billing.run("work"):
        pass
    assert kept.records == []
    del billing
    gc.collect()
    assert [record.kind for record in kept.records] == [RecordKind.TIME_ENTRY]


def test_the_alarm_sends_windows_that_are_over(
    kept: Any,
    policy: BillingPolicy,
    eventually: "Callable[[Callable[[], bool]], None]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("keito.billing.alarm._GRACE", 0.0)
    billing = AgentBilling(policy, delivery=kept, rollup="hour")
    now = datetime.now(timezone.utc)
    clock = Clock()
    billing._postings.rollup = Rollup(clock)
    clock.now = now
    with billing.run("work"):
        pass
    assert kept.records == []
    clock.now = now + timedelta(hours=1)
    billing._postings._alarm.set(now)
    eventually(lambda: len(kept.records) == 1)


def test_runs_in_two_currencies_are_two_expenses_of_the_window(rollup: Rollup, hourly: BillingPolicy) -> None:
    euros = replace(hourly, prices=PriceTable([ModelPrice("house-llm", input=Decimal(2))], currency="EUR"))
    house = AgentRun("work", agent_id="support-bot", started_at=NINE)
    house.record_llm_call(model="house-llm", input_tokens=10**6)
    house.end(elapsed_ns=MINUTE)
    add(rollup, euros, run_of(cost="1"), house)
    expenses = [record for record in rollup.close_windows() if record.kind is RecordKind.EXPENSE]
    assert [(record.body["metadata"]["keito"]["currency"], record.body["total_cost"]) for record in expenses] == [
        ("EUR", 2),
        ("USD", 1),
    ]
    assert [len(record.members) for record in expenses] == [2, 0]


def test_what_only_the_sum_cannot_convert_is_flagged_on_the_window(rollup: Rollup, hourly: BillingPolicy) -> None:
    days: list[object] = []

    def rate(day: object) -> Decimal:
        days.append(day)
        if len(days) > 1:
            raise KeyError(day)
        return Decimal(2)

    add(rollup, replace(hourly, exchange_rate=ExchangeRate("EUR", rate)), run_of(cost="1"))
    (time,) = rollup.close_windows()
    assert time.body["metadata"]["keito"]["flags"] == ["no_exchange_rate"]


def test_runs_at_different_exchange_rates_are_not_converted_at_one_of_them(
    rollup: Rollup, policy: BillingPolicy
) -> None:
    for rate in ("0.90", "0.80"):
        hourly = replace(policy, rollup="hour", exchange_rate=ExchangeRate("EUR", Decimal(rate)))
        run = run_of(cost="1")
        rollup.add(run, hourly, cost_of(run, hourly))
    expenses = [record for record in rollup.close_windows() if record.kind is RecordKind.EXPENSE]
    assert sorted(record.body["total_cost"] for record in expenses) == [Decimal("0.80"), Decimal("0.90")]


def test_runs_whose_notes_read_differently_are_not_put_under_one_of_them(rollup: Rollup, policy: BillingPolicy) -> None:
    for client in ("Acme", "Globex"):
        hourly = replace(policy, rollup="hour", notes=f"{{name}} for {client}")
        run = run_of()
        rollup.add(run, hourly, cost_of(run, hourly))
    notes = [record.body["notes"] for record in rollup.close_windows()]
    assert [note.rpartition(" ")[2] for note in notes] == ["Acme", "Globex"]
