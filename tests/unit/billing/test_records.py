import decimal
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keito.billing import BillingPolicy, Outcome, Post, records_for
from keito.billing.charge import posted
from keito.metering import AgentRun, LLMCall, NoUsage, RunStatus, Usage
from keito.outbox import BillingRecord, RecordKind
from keito.types.given import METADATA_LIMIT, encode

pytest.importorskip("genai_prices")

HOUR = 3_600_000_000_000
MINI = {"provider": "openai", "model": "gpt-5-mini"}


def ended(run: AgentRun, status: RunStatus = RunStatus.COMPLETED, nanoseconds: int = HOUR // 2) -> AgentRun:
    run.end(status, elapsed_ns=nanoseconds)
    return run


def by_kind(records: "list[BillingRecord]") -> "dict[RecordKind, dict[str, Any]]":
    return {record.kind: dict(record.body) for record in records}


def test_a_run_becomes_a_time_entry_its_outcomes_and_an_expense(policy: BillingPolicy) -> None:
    run = AgentRun(
        "Ticket 4821",
        agent_id="support-bot",
        framework="langchain",
        trigger="webhook",
        session_id="s-1",
        started_at=datetime(2026, 11, 20, 9, tzinfo=timezone.utc),
    )
    run.record_llm_call(**MINI, input_tokens=1000, output_tokens=100, cache_read_tokens=400)
    run.record_llm_call(**MINI, input_tokens=2000, output_tokens=200, reasoning_tokens=50)
    run.log_outcome(Outcome("ticket_resolved", 0.99, description="Ticket 4821 resolved", evidence={"id": 4821}))
    records = records_for(ended(run), policy)
    time, outcome, expense = (dict(record.body) for record in records)
    uid = run.uid
    assert [record.key for record in records] == [f"{uid}-time-0", f"{uid}-outcome-0", f"{uid}-expense-0"]

    place = {"project_id": "proj", "spent_date": "2026-11-20", "source": "agent"}
    who = {"agent": {"id": "support-bot", "framework": "langchain"}, "run": {"id": uid, "trigger": "webhook"}}
    cost = Decimal("0.0002") + Decimal("0.00016") + Decimal("0.0005") + Decimal("0.0004")
    model = {"provider": "openai", "name": "gpt-5-mini", "tokens_in": 3000, "tokens_out": 300, "cost_usd": cost}
    facts = {"calls": 2, "cache_read_tokens": 400, "reasoning_tokens": 50, "cost_usd": "0.00126"}
    sdk = time["metadata"]["keito"]["sdk"]
    assert sdk.startswith("keito-python/")
    assert time == {
        **place,
        "task_id": "task",
        "hours": Decimal("0.5"),
        "notes": "Ticket 4821",
        "metadata": {
            **who,
            "model": model,
            "session_id": "s-1",
            "keito": {"key": f"{uid}-time-0", "sdk": sdk, "status": "completed", "duration_s": Decimal(1800), **facts},
        },
    }
    assert outcome == {
        **place,
        "task_id": "task",
        "hours": Decimal(0),
        "notes": "Ticket 4821 resolved",
        "billable": True,
        "metadata": {
            **who,
            "session_id": "s-1",
            "outcome_type": "ticket_resolved",
            "outcome_quantity": Decimal(1),
            "outcome_success": True,
            "outcome_unit_price": Decimal("0.99"),
            "outcome_evidence": {"id": 4821},
            "keito": {"key": f"{uid}-outcome-0", "sdk": sdk, "status": "completed"},
        },
    }
    rates = {"input_mtok": "0.25", "cache_read_mtok": "0.025", "output_mtok": "2"}
    source = f"genai-prices {pytest.importorskip('genai_prices').__version__}"
    assert expense == {
        **place,
        "expense_category_id": "cat",
        "total_cost": Decimal("0.00126"),
        "notes": "gpt-5-mini: 3,000 input + 300 output tokens",
        "metadata": {
            **who,
            "model": model,
            "session_id": "s-1",
            "keito": {
                "key": f"{uid}-expense-0",
                "sdk": sdk,
                "status": "completed",
                **facts,
                "pricing": [{"model": "gpt-5-mini", "source": source, "rates": rates}],
            },
        },
    }


def test_the_same_run_gives_byte_equal_records(policy: BillingPolicy) -> None:
    run = AgentRun("same")
    run.record_llm_call(**MINI, input_tokens=10)
    run.log_outcome(Outcome("a"))
    run.log_outcome(Outcome("b"))
    ended(run)
    first, second = records_for(run, policy), records_for(run, policy)
    assert [(record.key, encode(record.body)) for record in first] == [(r.key, encode(r.body)) for r in second]
    assert len({record.key for record in first}) == 4


def test_an_open_run_has_no_records(policy: BillingPolicy) -> None:
    with pytest.raises(ValueError, match="has not ended"):
        records_for(AgentRun(), policy)


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED])
def test_a_failed_run_bills_its_cost_but_neither_time_nor_outcomes(policy: BillingPolicy, status: RunStatus) -> None:
    run = AgentRun()
    run.record_llm_call(**MINI, input_tokens=10**6)
    run.log_outcome(Outcome("ticket_resolved", 0.99))
    records = by_kind(records_for(ended(run, status), replace(policy, billable=True)))
    assert set(records) == {RecordKind.TIME_ENTRY, RecordKind.EXPENSE}
    assert records[RecordKind.TIME_ENTRY]["billable"] is False
    assert records[RecordKind.TIME_ENTRY]["metadata"]["keito"]["flags"] == ["outcomes_not_billed"]
    assert records[RecordKind.TIME_ENTRY]["metadata"]["keito"]["status"] == status.value
    assert records[RecordKind.EXPENSE]["total_cost"] == Decimal("0.25")
    assert records[RecordKind.EXPENSE]["billable"] is True


def test_billable_and_user_are_sent_only_where_they_are_set(policy: BillingPolicy) -> None:
    run = AgentRun()
    run.record_llm_call(**MINI, input_tokens=10)
    run.log_outcome(Outcome("x"))
    ended(run)
    silent = by_kind(records_for(run, policy))
    assert "billable" not in silent[RecordKind.TIME_ENTRY]
    assert "billable" not in silent[RecordKind.EXPENSE]
    assert "user_id" not in silent[RecordKind.TIME_ENTRY]
    spoken = by_kind(records_for(run, replace(policy, billable=False, user_id="u")))
    assert [body["billable"] for body in spoken.values()] == [False, False, False]
    assert spoken[RecordKind.TIME_ENTRY]["user_id"] == spoken[RecordKind.OUTCOME]["user_id"] == "u"
    assert "user_id" not in spoken[RecordKind.EXPENSE]  # the API knows no user for expenses


def test_without_a_category_the_cost_is_in_the_metadata_only(policy: BillingPolicy) -> None:
    run = AgentRun()
    run.record_llm_call(**MINI, input_tokens=10**6)
    (time,) = records_for(ended(run), replace(policy, expense_category_id=None))
    assert time.body["metadata"]["keito"]["flags"] == ["no_expense_category"]
    assert time.body["metadata"]["keito"]["cost_usd"] == "0.25"
    assert time.body["metadata"]["model"]["cost_usd"] == Decimal("0.25")


def test_what_has_a_price_is_billed_and_the_rest_is_named(policy: BillingPolicy) -> None:
    run = AgentRun()
    run.record_llm_call(**MINI, input_tokens=10**6)
    run.record_llm_call(provider="openai", model="gpt-17", input_tokens=5)
    run.record_llm_call(provider="openai", model="gpt-17", input_tokens=6)
    records = by_kind(records_for(ended(run), policy))
    for body in (records[RecordKind.TIME_ENTRY], records[RecordKind.EXPENSE]):
        metadata = body["metadata"]
        assert "cost_usd" not in metadata["model"]
        assert metadata["model"]["tokens_in"] == 10**6 + 11
        assert metadata["keito"]["flags"] == ["unpriced"]
        assert metadata["keito"]["unpriced"] == [{"model": "gpt-17", "reason": "unknown model", "calls": 2}]
        mini, other = metadata["models"]
        assert (mini["name"], mini["cost_usd"], mini["calls"]) == ("gpt-5-mini", Decimal("0.25"), 1)
        assert (other["name"], "cost_usd" in other, other["calls"]) == ("gpt-17", False, 2)
    assert records[RecordKind.EXPENSE]["total_cost"] == Decimal("0.25")


def test_when_nothing_has_a_price_no_cost_is_invented(policy: BillingPolicy) -> None:
    run = AgentRun()
    run.record_llm_call(provider="openai", model="gpt-17", input_tokens=900, output_tokens=90)
    (time,) = records_for(ended(run), policy)
    assert time.body["metadata"]["model"] == {
        "provider": "openai",
        "name": "gpt-17",
        "tokens_in": 900,
        "tokens_out": 90,
    }
    assert time.body["metadata"]["keito"]["unpriced"] == [{"model": "gpt-17", "reason": "unknown model", "calls": 1}]
    assert "cost_usd" not in time.body["metadata"]["keito"]


def test_a_call_without_usage_says_why(policy: BillingPolicy) -> None:
    now = datetime.now(timezone.utc)
    run = AgentRun()
    run.record(LLMCall(now, now, provider="openai", served_model="gpt-5-mini", no_usage=NoUsage.ABORTED))
    (time,) = records_for(ended(run), policy)
    assert time.body["metadata"]["keito"]["unpriced"][0]["reason"] == "stopped before usage arrived"


def test_cached_and_failed_calls_are_counted_and_cost_nothing(policy: BillingPolicy) -> None:
    now = datetime.now(timezone.utc)
    run = AgentRun()
    run.record_llm_call(**MINI, input_tokens=10**6, cached=True)
    run.record(LLMCall(now, now, provider="openai", served_model="gpt-5-mini", no_usage=NoUsage.FAILED, error="E"))
    (time,) = records_for(ended(run), policy)
    facts = time.body["metadata"]["keito"]
    assert (facts["cached_calls"], facts["failed_calls"]) == (1, 1)
    assert "model" not in time.body["metadata"]
    assert "flags" not in facts


def test_calls_are_priced_one_by_one(policy: BillingPolicy) -> None:
    run = AgentRun()
    for _ in range(5):
        run.record_llm_call(provider="anthropic", model="claude-sonnet-4-5", input_tokens=60_000)
    expense = by_kind(records_for(ended(run), policy))[RecordKind.EXPENSE]
    assert expense["total_cost"] == Decimal("0.9")  # as one request of 300,000 tokens it would be 1.80


def test_rates_that_differ_are_all_on_the_expense(policy: BillingPolicy) -> None:
    run = AgentRun()
    for size in (60_000, 300_000, 60_000):
        run.record_llm_call(provider="anthropic", model="claude-sonnet-4-5", input_tokens=size)
    expense = by_kind(records_for(ended(run), policy))[RecordKind.EXPENSE]
    assert [row["rates"]["input_mtok"] for row in expense["metadata"]["keito"]["pricing"]] == ["3", "6"]


def test_the_day_is_the_one_of_the_policys_zone_on_which_the_run_began(policy: BillingPolicy) -> None:
    began = datetime(2026, 3, 1, 23, 30, tzinfo=timezone.utc)
    run = ended(AgentRun(started_at=began), nanoseconds=0)
    days = {
        zone: records_for(run, replace(policy, timezone=zone))[0].body["spent_date"]
        for zone in ("UTC", "Europe/Berlin", "America/New_York", None)
    }
    assert days == {"UTC": "2026-03-01", "Europe/Berlin": "2026-03-02", "America/New_York": "2026-03-01", None: "2026-03-01"}  # fmt: skip # noqa: E501
    run = ended(AgentRun(started_at=began.astimezone(timezone(timedelta(hours=9)))), nanoseconds=0)
    assert records_for(run, replace(policy, timezone=None))[0].body["spent_date"] == "2026-03-02"


@pytest.mark.parametrize(
    ("exact", "sent"),
    [
        ("0", "0"),
        ("0.0000001", "0.000001"),
        ("0.0000014", "0.000001"),
        ("0.0000015", "0.000002"),
        ("12.3456785", "12.345679"),
    ],
)
def test_amounts_are_posted_to_six_decimals_and_never_vanish(exact: str, sent: str) -> None:
    assert posted(Decimal(exact)) == Decimal(sent)


def test_the_callers_decimal_context_does_not_round_the_bill(policy: BillingPolicy) -> None:
    run = AgentRun()
    for _ in range(3):
        run.record_llm_call(**MINI, input_tokens=123_457, output_tokens=76_543)
    ended(run, nanoseconds=123_456_789_012)
    expected = records_for(run, policy)
    with decimal.localcontext(decimal.Context(prec=3)):
        assert [encode(r.body) for r in records_for(run, policy)] == [encode(r.body) for r in expected]


text = st.text(max_size=400)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(text, min_size=1, max_size=40),
    name=text,
    session=text,
    trigger=text,
    evidence=st.dictionaries(st.text(max_size=20), st.text(max_size=80), max_size=10),
)
def test_records_always_fit_and_keep_what_matters(
    policy: BillingPolicy, names: "list[str]", name: str, session: str, trigger: str, evidence: "dict[str, str]"
) -> None:
    try:
        outcome = Outcome("x" * 100, 1, evidence=evidence)
    except ValueError:
        outcome = Outcome("x" * 100, 1, evidence={})
    run = AgentRun(name, session_id=session, trigger=trigger, framework=name, agent_id=trigger)
    for number, model in enumerate(names):
        run.record_llm_call(provider=model, model=f"{model}{number}", input_tokens=number + 1)
        run.record_llm_call(**{**MINI, "model": "gpt-5-mini"}, input_tokens=10, reported_cost="0.1")
    run.log_outcome(outcome)
    records = records_for(ended(run), policy)
    for record in records:
        metadata = record.body["metadata"]
        assert len(encode(metadata)) <= METADATA_LIMIT
        assert json.loads(encode(metadata))["keito"]["key"] == record.key
        assert metadata["session_id"] == records[0].body["metadata"]["session_id"]
        encode(record.body)
    time, found = records[0].body["metadata"], records[1].body["metadata"]
    assert time["model"]["tokens_in"] == sum(range(1, len(names) + 1)) + 10 * len(names)
    assert found["outcome_evidence"] == outcome.evidence


def test_lists_are_trimmed_in_a_fixed_order(policy: BillingPolicy) -> None:
    run = AgentRun()
    for number in range(60):
        run.record_llm_call(provider="openai", model=f"unknown-model-with-a-rather-long-name-{number}", input_tokens=1)
    run.record_llm_call(**MINI, input_tokens=10**6)
    records = by_kind(records_for(ended(run), policy))
    metadata = records[RecordKind.EXPENSE]["metadata"]
    assert metadata["keito"]["trimmed"] == ["models", "unpriced"]
    assert metadata["models"] == []
    assert 0 < len(metadata["keito"]["unpriced"]) < 60
    assert len(metadata["keito"]["pricing"]) == 1
    assert metadata["model"]["tokens_in"] == 10**6 + 60


def test_details_of_an_integration_stand_in_the_first_time_entry_and_are_trimmed_first(policy: BillingPolicy) -> None:
    run = AgentRun(started_at=datetime(2026, 11, 20, 9, tzinfo=timezone.utc))
    run.record_llm_call(**MINI, input_tokens=10)
    run.details.update(usage_complete=True, agents=[{"role": f"agent {number}"} for number in range(400)])
    first, second, expense = (dict(record.body) for record in records_for(ended(run, nanoseconds=30 * HOUR), policy))
    details = first["metadata"]["keito"]["details"]
    assert details["usage_complete"] is True
    assert 0 < len(details["agents"]) < 400
    assert first["metadata"]["keito"]["trimmed"] == ["agents"]
    assert len(encode(first["metadata"])) <= METADATA_LIMIT
    assert not any("details" in record["metadata"]["keito"] for record in (second, expense))
    assert len(run.details["agents"]) == 400


def test_as_many_rows_are_kept_as_fit(policy: BillingPolicy) -> None:
    run = AgentRun("work", agent_id="support-bot")
    run.details["agents"] = [f"agent {number:03}" for number in range(1000)]
    (record,) = records_for(ended(run), policy)
    size, agents = len(encode(record.body["metadata"])), record.body["metadata"]["keito"]["details"]["agents"]
    assert METADATA_LIMIT - len('"agent 000",') < size <= METADATA_LIMIT
    assert agents == run.details["agents"][: len(agents)]


@pytest.mark.parametrize(
    ("detail", "posted"),
    [
        ("\ud800", "?"),
        (float("nan"), None),
        (object(), None),
        (10**5000, None),
        ({"agents": ["\udfff", "good"]}, {"agents": ["?", "good"]}),
        ({("no", "name"): "good"}, {"('no', 'name')": "good"}),
    ],
    ids=["surrogate", "nan", "object", "too many digits", "surrogate inside", "key"],  # no text has the digits
)
def test_details_that_are_no_json_are_replaced_and_flagged_and_cost_nothing_else(
    policy: BillingPolicy, detail: object, posted: object
) -> None:
    run = AgentRun("work", agent_id="support-bot")
    run.details.update(good=1, bad=detail)
    run.end(elapsed_ns=1)
    (record,) = records_for(run, policy)
    facts = record.body["metadata"]["keito"]
    assert (facts["details"], facts["flags"]) == ({"good": 1, "bad": posted}, ["cleaned"])
    assert encode(record.body)


def test_details_that_cannot_be_trimmed_are_left_out(policy: BillingPolicy) -> None:
    run = AgentRun()
    run.details["huge"] = "x" * METADATA_LIMIT
    (record,) = records_for(ended(run), policy)
    assert record.body["metadata"]["keito"]["trimmed"] == ["details"]
    assert "details" not in record.body["metadata"]["keito"]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**5)), max_size=20))
def test_the_expense_is_the_sum_of_its_calls(policy: BillingPolicy, calls: "list[tuple[int, int]]") -> None:
    run = AgentRun()
    for tokens_in, tokens_out in calls:
        run.child().record_llm_call(**MINI, input_tokens=tokens_in, output_tokens=tokens_out)
    records = by_kind(records_for(ended(run), policy))
    total = sum((Decimal(a) / 4 + Decimal(b) * 2 for a, b in calls), Decimal(0)) / 10**6
    assert (RecordKind.EXPENSE in records) is bool(calls)
    if calls:
        assert Decimal(records[RecordKind.EXPENSE]["metadata"]["keito"]["cost_usd"]) == total
        assert records[RecordKind.EXPENSE]["total_cost"] == posted(total)
        assert Usage(*map(sum, zip(*calls))).total_tokens == sum(a + b for a, b in calls)


def test_a_run_of_two_days_is_two_entries_and_says_its_usage_once(policy: BillingPolicy) -> None:
    run = AgentRun(started_at=datetime(2026, 11, 20, 23, 30, tzinfo=timezone.utc))
    run.record_llm_call(**MINI, input_tokens=10**6)
    run.log_outcome(Outcome("done"))
    records = records_for(ended(run, nanoseconds=HOUR), policy)
    assert [record.key for record in records] == [f"{run.uid}-{part}" for part in ("time-0", "time-1", "outcome-0", "expense-0")]  # fmt: skip # noqa: E501
    first, second = records[0].body, records[1].body
    assert [body["spent_date"] for body in (first, second)] == ["2026-11-20", "2026-11-21"]
    assert [body["hours"] for body in (first, second)] == [Decimal("0.5")] * 2
    assert [body["metadata"]["keito"]["part"] for body in (first, second)] == ["1 of 2", "2 of 2"]
    assert [("model" in body["metadata"], body["metadata"]["keito"].get("calls")) for body in (first, second)] == [
        (True, 1),
        (False, None),
    ]
    assert [record.body["spent_date"] for record in records[2:]] == ["2026-11-20"] * 2


@pytest.mark.parametrize(
    ("post", "kinds"),
    [
        (Post(time=False), ["outcome", "expense"]),
        (Post(outcomes=False), ["time_entry", "expense"]),
        (Post(expense=False), ["time_entry", "outcome"]),
        (Post(time=False, outcomes=False, expense=False), []),
    ],
)
def test_each_kind_of_record_can_be_switched_off(policy: BillingPolicy, post: Post, kinds: "list[str]") -> None:
    run = AgentRun()
    run.record_llm_call(**MINI, input_tokens=10)
    run.log_outcome(Outcome("done"))
    assert [record.kind.value for record in records_for(ended(run), replace(policy, post=post))] == kinds


def test_an_abandoned_run_posts_what_its_policy_says(policy: BillingPolicy) -> None:
    run = AgentRun()
    run.record_llm_call(**MINI, input_tokens=10)
    ended(run, RunStatus.ABANDONED)
    time, expense = records_for(run, policy)
    assert (time.body["billable"], expense.kind) == (False, RecordKind.EXPENSE)
    assert time.body["metadata"]["keito"]["status"] == "abandoned"
    (only,) = records_for(run, replace(policy, abandoned=Post(time=False, outcomes=False)))
    assert only.kind is RecordKind.EXPENSE


def test_one_expense_for_each_model(policy: BillingPolicy) -> None:
    run = AgentRun()
    for model, tokens in (("gpt-5-mini", 10**6), ("gpt-5", 10**5), ("gpt-17", 5)):
        run.record_llm_call(provider="openai", model=model, input_tokens=tokens)
    run.record_usage("web_search", 3, unit="search", cost="0.03")
    expenses = [record for record in records_for(ended(run), replace(policy, expense_per="model")) if "expense" in record.key]  # fmt: skip # noqa: E501
    assert [(record.key[-9:], record.body["total_cost"]) for record in expenses] == [
        ("expense-0", Decimal("0.25")),
        ("expense-1", Decimal("0.125")),
        ("expense-2", Decimal("0.03")),
    ]
    assert [record.body["metadata"].get("model", {}).get("name") for record in expenses] == [
        "gpt-5-mini",
        "gpt-5",
        None,
    ]
    assert expenses[2].body["notes"] == "web_search: 3 search"
    assert len(expenses[0].body["metadata"]["keito"]["pricing"]) == 1


def test_other_usage_is_named_and_its_cost_is_part_of_the_expense(policy: BillingPolicy) -> None:
    run = AgentRun()
    run.record_llm_call(**MINI, input_tokens=10**6)
    run.record_usage("web_search", 3, unit="search", cost="0.03")
    run.record_usage("pages", 2, unit="page")
    records = by_kind(records_for(ended(run), policy))
    assert records[RecordKind.EXPENSE]["total_cost"] == Decimal("0.28")
    assert records[RecordKind.TIME_ENTRY]["metadata"]["keito"]["usage"] == [
        {"name": "web_search", "unit": "search", "quantity": "3", "cost_usd": "0.03"},
        {"name": "pages", "unit": "page", "quantity": "2"},
    ]


def test_quality_and_parent_are_in_the_metadata(policy: BillingPolicy) -> None:
    run = AgentRun()
    own = run.child(project_id="other")
    own.set_quality(confidence="0.9", human_reviewed=False)
    (time,) = records_for(ended(own), policy)
    assert time.body["project_id"] == "other"
    assert time.body["metadata"]["run"] == {"id": own.uid, "parent_id": run.uid}
    assert time.body["metadata"]["quality"] == {"confidence": Decimal("0.9"), "human_reviewed": False}


def test_partial_answers_are_counted(policy: BillingPolicy) -> None:
    now = datetime.now(timezone.utc)
    run = AgentRun()
    run.record(LLMCall(now, now, provider="openai", served_model="gpt-5-mini", usage=Usage(10, 1), partial=True))  # fmt: skip # noqa: E501
    assert records_for(ended(run), policy)[0].body["metadata"]["keito"]["partial_calls"] == 1


@pytest.mark.parametrize(
    ("template", "notes"),
    [
        ("{name} for {tenant}: {calls} calls, {input_tokens:,} in", "Ticket 1 for acme: 2 calls, 2,000 in"),
        ("{agent}/{status}/{models}/{nothing}", "bot/completed/gpt-5-mini/"),
        ("{secret}", "Ticket 1"),
        ("{{literally}} {outcomes}", "{literally} 0"),
        ("{name:d}", "Ticket 1"),
        ("   ", "Ticket 1"),
    ],
)
def test_notes_follow_a_template(policy: BillingPolicy, template: str, notes: str) -> None:
    run = AgentRun("Ticket 1", agent_id="bot", attributes={"tenant": "acme", "secret": object(), 5: "x"})  # type: ignore[dict-item]
    for _ in range(2):
        run.record_llm_call(**MINI, input_tokens=1000)
    ended(run)
    assert records_for(run, replace(policy, notes=template))[0].body["notes"] == notes
    run.set_notes("by hand")
    assert records_for(run, replace(policy, notes=template))[0].body["notes"] == "by hand"


amounts = st.one_of(st.none(), st.floats(0, 10**6), st.decimals(0, 10**6, places=7))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**6), amounts), max_size=8),
    began=st.integers(1_577_836_800, 1_893_456_000),
    nanoseconds=st.integers(0, 100 * HOUR),
    fields=st.fixed_dictionaries(
        {
            "rounding": st.sampled_from(["none", "up_6", "nearest_15"]),
            "markup": st.sampled_from(["1", "1.2"]),
            "expense_per": st.sampled_from(["run", "model"]),
            "cost_decimals": st.integers(0, 6),
            "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", None]),
        }
    ),
    quantity=st.floats(0, 10**6),
)
def test_no_float_stands_between_usage_and_record(
    policy: BillingPolicy, calls: Any, began: int, nanoseconds: int, fields: "dict[str, Any]", quantity: float
) -> None:
    run = AgentRun(started_at=datetime.fromtimestamp(began, timezone.utc))
    for tokens_in, tokens_out, cost in calls:
        run.record_llm_call(**MINI, input_tokens=tokens_in, output_tokens=tokens_out, reported_cost=cost)
    run.record_usage("tool", quantity, cost=quantity)
    run.set_quality(confidence=0.5)
    run.log_outcome(Outcome("done", 0.99, quantity=1.5))
    records = records_for(ended(run, nanoseconds=nanoseconds), replace(policy, **fields))
    for record in records:
        assert floats_in(record.body) == []
        assert len(encode(record.body["metadata"])) <= METADATA_LIMIT
    again = records_for(run, replace(policy, **fields))
    assert [(record.key, encode(record.body)) for record in records] == [(r.key, encode(r.body)) for r in again]
    assert len({record.key for record in records}) == len(records)


def floats_in(value: object) -> "list[float]":
    if isinstance(value, dict):
        return [found for part in value.values() for found in floats_in(part)]
    if isinstance(value, (list, tuple)):
        return [found for part in value for found in floats_in(part)]
    return [value] if isinstance(value, float) else []
