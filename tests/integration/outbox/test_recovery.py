"""Runs whose process is gone are billed by whoever comes next, once."""

import json
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from keito.billing import AgentBilling, BillingPolicy, Outcome, Post
from keito.billing.account import Meters, RunAccount
from keito.billing.chronicle import RunChronicle
from keito.billing.guard import Guard
from keito.billing.records import records_for
from keito.billing.recovery import recover
from keito.billing.windows import close_due
from keito.metering import AgentRun, LLMCall, OtherUsage, Usage
from keito.metering.journal import RunEvent
from keito.outbox.durable import OutboxDelivery
from keito.outbox.process import worker
from keito.outbox.store import Store
from keito.pricing import ExchangeRate, PriceTable
from keito.pricing.model_price import ModelPrice

THERE = "acc@http://127.0.0.1"
POLICY = BillingPolicy("proj", "task", "cat", agent_id="bot", timezone="UTC")
NOW = datetime(2026, 11, 20, 9, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def everybody_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keito.billing.recovery.is_gone", lambda name: True)


def call(cost: str = "0.25", **fields: Any) -> LLMCall:
    fields.setdefault("reported_cost", Decimal(cost))
    return LLMCall(NOW, NOW, "openai", served_model="gpt-5-mini", usage=Usage(1000, 100), **fields)


def leave(
    store: Store, *events: RunEvent, policy: BillingPolicy = POLICY, name: str = "Ticket", **about: Any
) -> AgentRun:
    """A run that a process has left behind."""
    run = AgentRun(name, agent_id="bot", started_at=NOW)
    run.ledger = RunAccount(run.uid, policy, Meters(), Guard())
    for field, value in about.items():
        setattr(run, field, value)
    told = RunChronicle(run, policy, THERE)
    lines = [told.news() or "", *map(told.text, events)]
    store.journal(
        {run.uid: (THERE, told.header())}, [(run.uid, number, line) for number, line in enumerate(lines)], "gone"
    )
    return run


def bodies(store: Store) -> "dict[str, Any]":
    return {found.key.split("-", 1)[1]: json.loads(found.body) for found in store.find(limit=1000)}


def test_a_run_that_was_left_is_billed_as_abandoned_with_what_it_used(store: Store) -> None:
    search = OtherUsage("web_search", "search", Decimal(3), Decimal("0.03"))
    run = leave(store, call("0.25"), search, call("0.5"), Outcome("ticket_resolved", "0.99"), notes="Half done")
    assert recover(store) == 1
    found = bodies(store)
    assert set(found) == {"time-0", "expense-0"}
    time, expense = found["time-0"], found["expense-0"]
    assert expense["total_cost"] == 0.78
    assert (time["notes"], time["billable"]) == ("Half done", False)
    assert time["metadata"]["keito"]["status"] == "abandoned"
    assert time["metadata"]["keito"]["flags"] == ["outcomes_not_billed"]
    assert time["metadata"]["keito"]["calls"] == 2
    assert time["metadata"]["run"]["id"] == run.uid
    assert {one.run_id for one in store.find()} == {run.uid}


def test_it_is_billed_once_whoever_tries(store: Store) -> None:
    leave(store, call())
    assert [recover(store), recover(store)] == [1, 0]
    assert len(store.find()) == 2


def test_what_the_run_had_committed_itself_stays_as_it_is(store: Store) -> None:
    """The end of a frozen process and its recovery meet: the first one counts."""
    run = leave(store, call("0.25"))
    run.record(call("0.75"))
    run.end(elapsed_ns=10**9)
    store.add(records_for(run, POLICY), THERE)  # without the journal, as if that had been written a moment later
    recover(store)
    assert [body["total_cost"] for body in bodies(store).values() if "total_cost" in body] == [0.75]


def test_calls_beyond_those_that_a_run_keeps_are_priced_one_by_one(store: Store) -> None:
    change = NOW + timedelta(hours=1)
    old = ModelPrice("gpt-5-mini", input=Decimal(1), valid_until=change)
    new = ModelPrice("gpt-5-mini", input=Decimal(9), valid_from=change)
    late = NOW + timedelta(hours=2)
    calls = [LLMCall(at, at, "openai", served_model="gpt-5-mini", usage=Usage(1000)) for at in (NOW, late)]
    leave(store, *calls * 200, policy=replace(POLICY, prices=PriceTable([old, new])))
    recover(store)
    expense = bodies(store)["expense-0"]
    assert expense["total_cost"] == 2  # 200 * 0.001 + 200 * 0.009
    assert expense["metadata"]["keito"]["calls"] == 400


def test_a_policy_may_bill_abandoned_runs_otherwise(store: Store) -> None:
    outcome = Outcome("ticket_resolved", "0.99")
    leave(store, call(), outcome, policy=replace(POLICY, abandoned=Post(expense=False)))
    recover(store)
    found = bodies(store)
    assert set(found) == {"time-0", "outcome-0"}
    assert "billable" not in found["time-0"]


def test_a_run_of_which_nothing_is_posted_leaves_the_journal(store: Store) -> None:
    leave(store, call(), policy=replace(POLICY, abandoned=Post(time=False, expense=False)))
    assert [recover(store), recover(store)] == [1, 0]
    assert store.find() == []


def test_the_rate_of_the_day_is_that_of_the_run(store: Store) -> None:
    rate = ExchangeRate("EUR", lambda day: Decimal("0.5") if day == NOW.date() else Decimal(7))
    leave(store, call("0.5"), policy=replace(POLICY, exchange_rate=rate))
    recover(store)
    assert bodies(store)["expense-0"]["total_cost"] == 0.25


def test_a_supplement_that_was_left_has_no_time(store: Store) -> None:
    run = AgentRun("Ticket", started_at=NOW)
    run.end()
    late = run.supplement(RunAccount(run.uid, POLICY, Meters(), Guard()))
    told = RunChronicle(late, POLICY, THERE)
    lines = [(late.uid, 0, told.news() or ""), (late.uid, 1, told.text(call()))]
    store.journal({late.uid: (THERE, told.header())}, lines, "gone")
    recover(store)
    (found,) = store.find()
    assert found.key == f"{run.uid}-late-0-expense-0"


def test_a_window_takes_the_runs_that_were_left(store: Store) -> None:
    policy = replace(POLICY, rollup="day")
    for _ in range(3):
        leave(store, call("0.1"), policy=policy)
    assert recover(store) == 3
    assert store.find() == []
    assert len(close_due(store, THERE)) == 2
    expense = next(body for key, body in bodies(store).items() if "expense" in key)
    assert expense["total_cost"] == 0.3
    assert expense["metadata"]["keito"]["rollup"]["runs"] == {"abandoned": 3}


def test_who_has_no_prices_leaves_the_run_to_who_has(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("keito.billing.recovery.LEASE", -1.0)
    leave(store, call(reported_cost=None))
    with monkeypatch.context() as without:
        without.setattr("keito.billing.recovery.has_prices", lambda: False)
        assert recover(store) == 0
    assert "keito[pricing]" in caplog.text
    assert store.find() == []
    assert recover(store) == 1
    assert "cost_usd" in bodies(store)["expense-0"]["metadata"]["model"]


@pytest.mark.parametrize("header", ["", "{}", '{"policy": "{\\"Novelty\\": {}}", "has_prices": true}'])
def test_a_run_that_cannot_be_read_stays_and_is_no_harm_to_the_others(store: Store, header: str) -> None:
    guard = Guard()
    store.journal({"odd": (THERE, header)}, [], "gone")
    leave(store, call())
    assert recover(store, guard) == 1
    assert guard.count == 1
    (left,) = store.take_orphans(lambda name: True, "somebody", 1.0)
    assert left.uid == "odd"


def test_a_run_lasts_until_its_process_was_last_heard_of(store: Store) -> None:
    leave(store, call())
    begin = store.now()
    while store.now() < begin + 0.02:
        pass
    store.keep_alive("gone", 60)
    (found,) = store.take_orphans(lambda name: True, "somebody", 0.0)
    (again,) = store.take_orphans(lambda name: True, "somebody else", 0.0)
    assert (again.started_at, again.seen_at) == (found.started_at, found.seen_at)
    recover(store)
    seconds = bodies(store)["time-0"]["metadata"]["keito"]["duration_s"]
    assert abs(seconds - (found.seen_at - found.started_at)) <= 0.001
    assert seconds >= 0.02


@pytest.mark.parametrize("rollup", [None, "day"])
def test_what_a_run_costs_after_it_was_closed_is_billed_once_or_said(
    store: Store, rollup: Any, caplog: pytest.LogCaptureFixture
) -> None:
    policy = replace(POLICY, rollup=rollup)
    delivery = OutboxDelivery(store, destination=THERE, mode="by_relay")
    billing = AgentBilling(policy, delivery=delivery)
    run = billing.start("Ticket")
    run.record(call("0.25"))
    close_elsewhere(store, run)
    run.record(call("0.5", response_id="second"))
    billing.finish(run)
    close_due(store, THERE, all_of_them=True)
    costs = [json.loads(found.body).get("total_cost", 0) for found in store.find()]
    assert billing.guard.count == 0
    assert sum(costs) == (0.75 if rollup is None else 0.25)
    assert "was closed by another process meanwhile" in caplog.text
    delivery.close()


def close_elsewhere(store: Store, run: AgentRun) -> None:
    give_up = time.monotonic() + 20
    while recover(store) == 0:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    assert run.is_open


@pytest.mark.parametrize(("taker_is_gone", "billed"), [(True, 1), (False, 0)])
def test_what_a_killed_recovery_has_left_does_not_wait_for_its_lease(
    store: Store, monkeypatch: pytest.MonkeyPatch, taker_is_gone: bool, billed: int
) -> None:
    leave(store, call())
    taker = worker()
    assert len(store.take_orphans(lambda _: True, taker, 60)) == 1  # and it bills none of them
    monkeypatch.setattr("keito.billing.recovery.is_gone", lambda _: taker_is_gone)
    assert recover(store) == billed


def test_what_a_living_process_has_left_its_lease_frees(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(store, call())
    assert len(store.take_orphans(lambda _: True, worker(), -1)) == 1
    monkeypatch.setattr("keito.billing.recovery.is_gone", lambda _: False)
    assert recover(store) == 1
