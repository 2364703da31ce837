"""What comes after the end of a run."""

import gc
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from keito.billing import AgentBilling, BillingPolicy, Budget, KeitoBudgetExceeded, Outcome
from keito.metering import AgentRun, RunStatus

pytest.importorskip("genai_prices")

SONNET = {"provider": "anthropic", "model": "claude-sonnet-4-20250514"}
Eventually = Callable[[Callable[[], bool]], None]


@pytest.fixture
def make(kept: Any, policy: BillingPolicy) -> Iterator[Callable[..., AgentBilling]]:
    made: list[AgentBilling] = []

    def make(**fields: Any) -> AgentBilling:
        made.append(AgentBilling(policy, delivery=kept, **fields))
        return made[-1]

    yield make
    assert [billing.guard.count for billing in made] == [0] * len(made)


def ended(billing: AgentBilling, status: RunStatus = RunStatus.COMPLETED, **fields: Any) -> AgentRun:
    run = billing.start("Ticket 1", **fields)
    billing.finish(run, status)
    return run


def test_late_calls_are_one_expense_of_their_own(make: Any, kept: Any) -> None:
    billing = make()
    run = ended(billing, session_id="s")
    for _ in range(50):
        assert run.record_llm_call(**SONNET, input_tokens=1_000, output_tokens=100)
    assert len(kept.records) == 1
    billing.flush()
    (_, late) = kept.records
    assert late.key == f"{run.uid}-late-0-expense-0"
    assert late.body["total_cost"] == Decimal("0.225")
    about = late.body["metadata"]
    assert (about["run"]["parent_id"], about["session_id"], about["keito"]["calls"]) == (run.uid, "s", 50)
    assert about["keito"]["flags"] == ["supplement"]
    assert late.body["spent_date"] == kept.records[0].body["spent_date"]
    assert run.late_events == 0


def test_a_child_reports_into_the_supplement_of_its_root(make: Any, kept: Any) -> None:
    billing = make()
    run = billing.start()
    child = run.child("part")
    billing.finish(run)
    assert child.record_usage("search", 2, cost="0.02")
    billing.flush()
    assert [record.body.get("total_cost") for record in kept.records[1:]] == [Decimal("0.02")]


def test_each_flush_begins_a_further_supplement(make: Any, kept: Any) -> None:
    billing = make()
    run = ended(billing)
    for _ in range(2):
        run.record_llm_call(reported_cost=1)
        billing.flush()
        billing.flush()
    assert [record.key for record in kept.records[1:]] == [f"{run.uid}-late-{n}-expense-0" for n in range(2)]


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({"expense_category_id": None}, ["no_expense_category", "supplement"]),
        ({"model": "nobody-knows-this"}, ["unpriced", "supplement"]),
    ],
)
def test_what_cannot_be_an_expense_is_an_entry_of_no_hours(
    make: Any, kept: Any, fields: "dict[str, Any]", flags: "list[str]"
) -> None:
    model = fields.pop("model", SONNET["model"])
    billing = make(rounding="up_15", minimum_minutes=30, billable=True, **fields)
    run = ended(billing)
    run.record_llm_call(provider="anthropic", model=model, input_tokens=1_000, output_tokens=100)
    billing.flush()
    (_, late) = kept.records
    assert late.key == f"{run.uid}-late-0-time-0"
    assert (late.body["hours"], late.body["billable"]) == (0, False)
    assert late.body["metadata"]["model"]["tokens_in"] == 1_000
    assert sorted(late.body["metadata"]["keito"]["flags"]) == sorted(flags)


def test_a_late_repetition_is_not_billed_and_a_late_report_of_unknown_tokens_is(make: Any, kept: Any) -> None:
    billing = make()
    run = billing.start()
    run.record_llm_call(**SONNET, input_tokens=1_000, output_tokens=0, response_id="msg_01XFDUDYJgAACzvnptvVoYEL")
    run.record_llm_call(**SONNET, response_id="msg_01XFDUDYJgAACzvnptvVoYEM")
    billing.finish(run)
    for answer in ("msg_01XFDUDYJgAACzvnptvVoYEL", "msg_01XFDUDYJgAACzvnptvVoYEM", "msg_01XFDUDYJgAACzvnptvVoYEM"):
        run.record_llm_call(**SONNET, input_tokens=1_000, output_tokens=0, response_id=answer)
    billing.flush()
    assert [r.body["total_cost"] for r in kept.records if "total_cost" in r.body] == [Decimal("0.003")] * 2
    assert run.repeated_calls == 3


def test_late_outcomes_count_only_where_the_run_bills_outcomes(make: Any, kept: Any) -> None:
    billing = make()
    failed, done = ended(billing, RunStatus.FAILED), ended(billing)
    assert not failed.log_outcome(Outcome("x"))
    assert done.log_outcome(Outcome("x"))
    billing.flush()
    assert [record.key for record in kept.records[2:]] == [f"{done.uid}-late-0-outcome-0"]
    assert kept.records[2].body["metadata"]["keito"]["flags"] == ["supplement"]
    assert (failed.late_events, done.late_events) == (1, 0)


def test_what_comes_after_the_grace_is_counted_and_said(make: Any, kept: Any, caplog: pytest.LogCaptureFixture) -> None:
    run = ended(make(late_grace=0))
    with caplog.at_level(logging.WARNING, "keito.billing"):
        assert not run.record_llm_call(reported_cost=1)
    assert run.late_events == 1
    assert "had ended when more arrived" in caplog.text


def test_a_supplement_is_sent_when_the_grace_is_over(
    make: Any, kept: Any, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keito.billing.alarm._GRACE", 0.0)
    billing = make(late_grace=0.2)
    run = ended(billing)
    assert run.record_llm_call(reported_cost=1)
    assert len(kept.records) == 1
    eventually(lambda: len(kept.records) == 2)
    eventually(lambda: run.ended_for > 0.2)
    assert not run.record_llm_call(reported_cost=1)


def test_closing_sends_supplements_and_takes_no_more(make: Any, kept: Any) -> None:
    billing = make()
    run = ended(billing)
    run.record_llm_call(reported_cost=1)
    billing.close()
    assert len(kept.records) == 2
    assert not run.record_llm_call(reported_cost=1)
    assert run.late_events == 1


def test_a_program_that_ends_sends_its_supplements(make: Any, kept: Any, policy: BillingPolicy) -> None:
    billing = AgentBilling(policy, delivery=kept)
    run = ended(billing)
    run.record_llm_call(reported_cost=1)
    billing._postings.end()  # what the interpreter calls at its end
    assert len(kept.records) == 2
    del run, billing
    gc.collect()
    assert len(kept.records) == 2


def test_open_supplements_are_bounded_and_none_is_lost(
    make: Any, kept: Any, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keito.billing.alarm._GRACE", 0.0)
    monkeypatch.setattr("keito.billing.supplements._MOST_OPEN", 3)
    billing = make()
    for _ in range(5):
        ended(billing).record_llm_call(reported_cost=1)
    eventually(lambda: sum("total_cost" in record.body for record in kept.records) == 2)
    billing.flush()
    assert sum(record.body.get("total_cost", 0) for record in kept.records) == 5


def test_budgets_of_a_run_count_its_supplement(make: Any) -> None:
    run = ended(make(budget=Budget(max_calls=2, stop=True)))
    run.record_llm_call(reported_cost=1)
    run.check_budget()
    run.record_llm_call(reported_cost=1)
    with pytest.raises(KeitoBudgetExceeded):
        run.check_budget()


@pytest.mark.parametrize("category", ["cat", None])
def test_a_rollup_takes_supplements_into_its_window_without_time(make: Any, kept: Any, category: Any) -> None:
    billing = make(rollup="day", expense_category_id=category, minimum_minutes=30)
    run = ended(billing)
    run.record_llm_call(reported_cost=1)
    billing.flush()
    (entry, *expenses) = kept.records
    assert entry.body["hours"] == Decimal("0.5")
    assert entry.body["metadata"]["keito"]["rollup"]["runs"] == {"completed": 1}
    assert [record.body["total_cost"] for record in expenses] == ([1] if category else [])
    run.record_llm_call(provider="x", model="unknown", input_tokens=5, output_tokens=5)
    billing.flush()
    late = kept.records[-1]
    assert (late.body["hours"], late.body["billable"], late.members) == (0, False, (f"{run.uid}-late-1-time-0",))
    assert late.body["metadata"]["model"]["tokens_in"] == 5


def test_the_run_of_another_policy_keeps_its_policy(make: Any, kept: Any, policy: BillingPolicy) -> None:
    billing = AgentBilling(policy, delivery=kept, resolve=lambda run: replace(policy, project_id="routed"))
    run = ended(billing)
    run.record_llm_call(reported_cost=1)
    billing.flush()
    assert [record.body["project_id"] for record in kept.records] == ["routed", "routed"]
