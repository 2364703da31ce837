"""One wrong value costs itself, and nothing else of a run."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Optional

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keito.billing import AgentBilling, BillingPolicy, Budget, Outcome, Post, records_for
from keito.billing.exceeded import KeitoBudgetExceeded
from keito.billing.records import cost_of
from keito.billing.rollup_records import records_of
from keito.billing.share import Share, shares_of
from keito.billing.window import Window
from keito.metering import AgentRun, LLMCall, Usage
from keito.outbox import BillingRecord, RecordKind
from keito.pricing import ModelPrice, PriceTable
from keito.types.given import encode

NOW = datetime(2026, 11, 20, 9, tzinfo=timezone.utc)
HALF = "half a pair \ud800"
PRICES = PriceTable([ModelPrice("house-llm", input=Decimal(1), output=Decimal(2))])

texts = st.text(max_size=12) | st.text(st.characters(categories=["Cs"]), max_size=3)
oddities: st.SearchStrategy[Any] = st.one_of(
    texts,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(allow_nan=True),
    st.sampled_from([10**5000, -(10**5000), object(), [], {}, ("a",), b"a", Decimal("1e-5000")]),
)
GOOD: "dict[str, Any]" = {"provider": "house", "served_model": "house-llm", "usage": Usage(10**6, 10**6)}


@pytest.fixture
def house(policy: BillingPolicy) -> BillingPolicy:
    return BillingPolicy(policy.project_id, policy.task_id, "cat", timezone="UTC", prices=PRICES)


@pytest.fixture
def billing(house: BillingPolicy, kept: Any) -> AgentBilling:
    return AgentBilling(house, delivery=kept)


def bodies(records: "list[BillingRecord]", kind: RecordKind) -> "list[Any]":
    return [record.body for record in records if record.kind is kind]


def _try(do: "Callable[..., Any]", *given: Any, **named: Any) -> Any:
    """What is refused where it is given is no part of the run."""
    try:
        return do(*given, **named)
    except Exception:
        return None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "started_at": st.just(NOW) | st.just(datetime.min.replace(tzinfo=timezone.utc)) | oddities,
                "provider": oddities,
                "requested_model": oddities,
                "served_model": oddities,
                "tier": oddities,
                "usage": st.builds(Usage, input_tokens=oddities, output_tokens=oddities, cache_read_tokens=oddities)
                | oddities,
                "cached": oddities,
                "partial": oddities,
                "reported_cost": oddities,
                "response_id": texts,
            },
        ),
        max_size=4,
    ),
    outcomes=st.lists(
        st.fixed_dictionaries(
            {"type": oddities},
            optional={
                "description": oddities,
                "unit_price": oddities,
                "quantity": oddities,
                "evidence": st.dictionaries(texts, oddities, max_size=2) | oddities,
            },
        ),
        max_size=3,
    ),
    usage=st.lists(st.tuples(oddities, oddities, oddities, oddities), max_size=2),
    about=st.fixed_dictionaries({}, optional={"name": oddities, "trigger": oddities, "session_id": oddities}),
    notes=oddities,
    framework=oddities,
    details=st.dictionaries(texts, oddities, max_size=3),
    attributes=st.dictionaries(texts, oddities, max_size=3),
)
def test_whatever_a_run_is_told_its_time_and_all_that_is_good_are_billed(
    house: BillingPolicy,
    calls: "list[dict[str, Any]]",
    outcomes: "list[dict[str, Any]]",
    usage: "list[tuple[Any, Any, Any, Any]]",
    about: "dict[str, Any]",
    notes: Any,
    framework: Any,
    details: "dict[str, Any]",
    attributes: "dict[str, Any]",
) -> None:
    run = AgentRun(**about, framework=framework, attributes=attributes)
    run.set_notes(notes)
    run.details.update(details)
    for fields in calls:
        call: dict[str, Any] = {"started_at": NOW, "ended_at": NOW, **fields}
        _try(run.record, LLMCall(**call))
    for name, quantity, unit, cost in usage:
        _try(run.record_usage, name, quantity, unit=unit, cost=cost)
    made = [_try(Outcome, **fields) for fields in outcomes]
    run.record(LLMCall(NOW, NOW, **GOOD))
    good: list[Outcome] = [*filter(None, made), Outcome("ticket_resolved", 1)]
    for outcome in good:
        run.log_outcome(outcome)
    run.end(elapsed_ns=10**9)
    records = records_for(run, house)
    assert len(bodies(records, RecordKind.TIME_ENTRY)) == 1
    assert [body["metadata"]["outcome_type"] for body in bodies(records, RecordKind.OUTCOME)] == [o.type for o in good]
    (expense,) = bodies(records, RecordKind.EXPENSE)
    assert expense["total_cost"] >= 3
    for record in records:
        encode(record.body)
    daily = replace(house, rollup="day")
    (share,) = (Share.read(share.stored().body) for share in shares_of(run, daily, cost_of(run, daily)))
    window = Window(share.window, daily)
    share.add_to(window)
    for record in records_of(window, "name", {}):
        encode(record.body)


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"input_tokens": -900}, "negative token count"),
        ({"output_tokens": 10**5000}, "impossible token count"),
        ({"input_tokens": 10**12}, "impossible token count"),
        ({"input_tokens": float("nan")}, "token counts do not add up"),
        ({"input_tokens": 10.5}, "token counts do not add up"),
        ({"input_tokens": "many"}, "impossible token count"),
    ],
    ids=["negative", "digits", "large", "nan", "part", "text"],  # no text has the digits
)
def test_a_count_that_no_call_has_is_in_no_sum_and_not_priced(
    house: BillingPolicy, counts: "dict[str, Any]", reason: str
) -> None:
    run = AgentRun()
    run.record(LLMCall(NOW, NOW, **GOOD))
    run.record(LLMCall(NOW, NOW, provider="house", served_model="house-llm", usage=Usage(**counts)))
    run.end(elapsed_ns=1)
    time, expense = (record.body for record in records_for(run, house))
    assert (time["metadata"]["model"]["tokens_in"], time["metadata"]["model"]["tokens_out"]) == (10**6, 10**6)
    assert expense["total_cost"] == 3
    facts = time["metadata"]["keito"]
    assert "unpriced" in facts["flags"]
    assert "gaps" not in facts  # no price will ever help
    (gap,) = facts["unpriced"]
    assert gap["reason"] == reason


def test_counts_of_another_type_are_counts(house: BillingPolicy) -> None:
    whole: Any = 10.0**6
    run = AgentRun()
    run.record(LLMCall(NOW, NOW, provider="house", served_model="house-llm", usage=Usage(whole, Decimal(0))))  # type: ignore[arg-type]
    run.end(elapsed_ns=1)
    time, expense = (record.body for record in records_for(run, house))
    assert (repr(time["metadata"]["model"]["tokens_in"]), expense["total_cost"]) == ("1000000", 1)


def test_a_cost_that_the_provider_reports_stands_whatever_it_counts(policy: BillingPolicy) -> None:
    run = AgentRun()
    run.record_llm_call(provider="p", model="m", input_tokens=-5, reported_cost="0.5")
    run.end(elapsed_ns=1)
    time, expense = (record.body for record in records_for(run, policy))
    assert (time["metadata"]["model"]["tokens_in"], expense["total_cost"]) == (0, Decimal("0.5"))


def test_texts_that_utf8_cannot_carry_are_replaced_everywhere(house: BillingPolicy) -> None:
    run = AgentRun(HALF, session_id=HALF, trigger=HALF, framework=HALF, agent_id=HALF)
    run.record(LLMCall(NOW, NOW, provider=HALF, served_model=HALF, tier=HALF, usage=Usage(1)))
    run.record_usage(HALF, unit=HALF)
    run.log_outcome(Outcome("ticket_resolved", description=HALF))
    run.end(elapsed_ns=1)
    time, outcome = (record.body for record in records_for(run, house))
    clean = "half a pair ?"
    metadata = time["metadata"]
    assert (time["notes"], outcome["notes"]) == (clean, clean)
    assert (metadata["agent"]["id"], metadata["session_id"], metadata["model"]["name"]) == (clean, clean, clean)
    (gap,) = metadata["keito"]["gaps"]
    assert (gap["provider"], gap["model"], gap["tier"]) == (clean, clean, clean)


def test_attributes_with_any_value_leave_notes(policy: BillingPolicy) -> None:
    run = AgentRun("work", attributes={"digits": 10**5000, "tenant": HALF})
    run.end(elapsed_ns=1)
    (time,) = records_for(run, BillingPolicy("p", "t", notes="{name} {digits}{digits:f} for {tenant}"))
    assert time.body["notes"] == "work  for half a pair ?"


def test_a_cost_that_is_hardly_anything_takes_no_room(policy: BillingPolicy) -> None:
    run = AgentRun()
    run.record_usage("search", cost="1e-5000")
    run.end(elapsed_ns=1)
    time, expense = (record.body for record in records_for(run, policy))
    assert time["metadata"]["keito"]["cost_usd"] == "1E-5000"
    assert expense["total_cost"] == Decimal("0.000001")


@pytest.mark.parametrize("field", ["project_id", "task_id", "expense_category_id", "agent_id", "user_id", "session_id"])
def test_ids_that_utf8_cannot_carry_are_refused_where_they_are_set(field: str) -> None:
    fields: dict[str, Any] = {"project_id": "p", "task_id": "t", field: HALF}
    with pytest.raises(ValueError, match=field):
        BillingPolicy(**fields)


def _broken(*given: Any) -> Any:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("part", "left"),
    [
        ("records._time_entry", ["outcome", "outcome", "expense"]),
        ("records._expense", ["time_entry", "outcome", "outcome"]),
        ("records.expenses_for", ["time_entry", "outcome", "outcome"]),
        ("postings.cost_of", ["time_entry", "outcome", "outcome"]),
    ],
)
def test_a_record_that_cannot_be_made_is_counted_and_said_and_the_others_are_delivered(
    billing: AgentBilling,
    kept: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    part: str,
    left: "list[str]",
) -> None:
    monkeypatch.setattr(f"keito.billing.{part}", _broken)
    with billing.run() as run:
        run.record(LLMCall(NOW, NOW, **GOOD))
        run.log_outcome(Outcome("ticket_resolved", 1))
        run.log_outcome(Outcome("ticket_resolved", 2))
    assert [record.kind.value for record in kept.records] == left
    assert (billing.guard.count, billing.flush().dropped) == (1, 1)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_an_outcome_that_cannot_be_posted_does_not_cost_the_others(billing: AgentBilling, kept: Any) -> None:
    wrong = Outcome("ticket_resolved", 1)
    object.__setattr__(wrong, "evidence", _Bad())
    with billing.run() as run:
        run.log_outcome(wrong)
        run.log_outcome(Outcome("ticket_resolved", 2))
    (outcome,) = bodies(kept.records, RecordKind.OUTCOME)
    assert outcome["metadata"]["outcome_unit_price"] == 2
    assert len(bodies(kept.records, RecordKind.TIME_ENTRY)) == 1
    assert billing.flush().dropped == 1


class _Bad(dict[str, Any]):
    """What a program of its own may log."""

    def __init__(self) -> None:
        super().__init__(bad=float("nan"))

    def items(self) -> Any:
        raise ZeroDivisionError


def test_a_rollup_that_cannot_take_a_run_does_not_cost_its_outcomes(
    house: BillingPolicy, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    billing = AgentBilling(house, delivery=kept, rollup="day")
    monkeypatch.setattr("keito.billing.rollup.shares_of", _broken)
    with billing.run() as run:
        run.log_outcome(Outcome("ticket_resolved", 1))
    assert [record.kind for record in kept.records] == [RecordKind.OUTCOME]
    assert billing.flush().dropped == 1


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        (Usage(5), "; its tokens are in the time entry"),
        (None, "; no tokens of it are known"),
        (Usage(0), "; no tokens of it are known"),
        (Usage(-5), "; no tokens of it are known"),
    ],
)
def test_tokens_are_said_to_be_in_the_time_entry_only_where_they_are(
    billing: AgentBilling, caplog: pytest.LogCaptureFixture, usage: "Optional[Usage]", said: str
) -> None:
    with billing.run() as run:
        run.record(LLMCall(NOW, NOW, **GOOD))
        run.record(LLMCall(NOW, NOW, provider="elsewhere", served_model="house", usage=usage))
    (message,) = caplog.messages
    assert message.startswith("LLM cost not billed for house: ")
    assert said in message


def test_where_no_time_is_posted_no_time_entry_is_promised(
    house: BillingPolicy, kept: Any, caplog: pytest.LogCaptureFixture
) -> None:
    billing = AgentBilling(house, delivery=kept, post=Post(time=False))
    with billing.run() as run:
        run.record(LLMCall(NOW, NOW, served_model="elsewhere", usage=Usage(5)))
    assert "time entry" not in caplog.text
    assert "elsewhere" in caplog.text


def test_a_wrong_count_neither_frees_a_budget_nor_uses_it_up(house: BillingPolicy, kept: Any) -> None:
    billing = AgentBilling(house, delivery=kept, budget=Budget(max_tokens=1000, stop=True))
    with billing.run() as run:
        for count in (-(10**6), 10**5000, 999):
            run.record_llm_call(provider="house", model="house-llm", input_tokens=count)
        run.check_budget()
        run.record_llm_call(provider="house", model="house-llm", input_tokens=1)
        with pytest.raises(KeitoBudgetExceeded, match="1000"):
            run.check_budget()
    assert billing.guard.count == 0
