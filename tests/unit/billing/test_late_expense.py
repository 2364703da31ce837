"""The expense for calls that had no price when their run was billed."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito.billing import BillingPolicy
from keito.billing.late_expense import Unbilled, late_expenses
from keito.billing.records import records_for
from keito.metering import AgentRun, LLMCall, Usage
from keito.metering.events import CALLS_KEPT
from keito.outbox import BillingRecord, RecordKind
from keito.pricing import ExchangeRate, ModelPrice, PriceTable

NOW = datetime(2026, 11, 20, 9, 59, 30, tzinfo=timezone.utc)
POLICY = BillingPolicy("proj", "task", "cat", agent_id="support-bot", timezone="UTC")
HOUSE = ModelPrice("house-1", input=Decimal("0.50"), output=Decimal("2.00"), cache_read=Decimal("0.05"))
PRICES = PriceTable([HOUSE], version="2026-11")
PRICED = replace(POLICY, prices=PRICES)
KNOWN = PriceTable([ModelPrice("known-1", input=Decimal(1))])


def run_of(*calls: LLMCall) -> AgentRun:
    run = AgentRun("Ticket 4821", agent_id="support-bot", session_id="chat-7")
    for call in calls:
        run.record(call)
    run.end(elapsed_ns=10**9)
    return run


def call_of(input: int, output: int = 0, cached: int = 0, model: str = "house-1", at: datetime = NOW) -> LLMCall:
    usage = Usage(input_tokens=input, output_tokens=output, cache_read_tokens=cached)
    return LLMCall(at, at, provider="house", served_model=model, usage=usage)


def billed(*calls: LLMCall, policy: BillingPolicy = POLICY) -> BillingRecord:
    """The time entry of a run, as it is posted."""
    return records_for(run_of(*calls), policy)[0]


def late(entry: BillingRecord, policy: BillingPolicy = PRICED) -> Any:
    """The only expense that is missing; `None` where there is none, and otherwise why it cannot be made."""
    found = late_expenses(entry.key, entry.body, policy)
    if isinstance(found, Unbilled):
        return found
    assert len(found) <= 1
    return found[0] if found else None


tokens = st.integers(0, 10**6)
calls = st.builds(
    lambda input, output, cached, minutes: call_of(
        input + cached, output + 1, cached, at=NOW + timedelta(minutes=minutes)
    ),
    tokens, tokens, tokens, st.integers(0, 300),
)  # fmt: skip


@given(st.lists(calls, min_size=1, max_size=8))
def test_it_is_what_would_have_been_billed_with_the_price_at_hand(made: "list[LLMCall]") -> None:
    expected = records_for(run_of(*made), PRICED)[1]
    found = late(billed(*made))
    assert found.body["total_cost"] == expected.body["total_cost"]
    facts, other = found.body["metadata"]["keito"], expected.body["metadata"]["keito"]
    assert (facts["cost_usd"], facts["calls"]) == (other["cost_usd"], other["calls"])
    assert facts["pricing"][0]["rates"] == other["pricing"][0]["rates"]


def test_its_key_follows_from_the_entry_and_its_metadata_from_the_run() -> None:
    entry = billed(call_of(1_000_000))
    found = late(entry)
    assert (found.key, found.kind) == (f"{entry.key}-reprice", RecordKind.EXPENSE)
    metadata, before = found.body["metadata"], entry.body["metadata"]
    assert metadata["keito"]["key"] == found.key
    assert metadata["keito"]["corrects"] == entry.key
    assert [metadata[name] for name in ("agent", "run", "session_id")] == [
        before[name] for name in ("agent", "run", "session_id")
    ]
    assert metadata["model"]["cost_usd"] == Decimal("0.5")
    assert "flags" not in metadata["keito"]
    assert (found.body["spent_date"], found.body["source"], found.body["expense_category_id"]) == (
        entry.body["spent_date"],
        "agent",
        "cat",
    )


def test_only_the_time_entry_names_the_gaps() -> None:
    entry, expense = records_for(run_of(call_of(10), call_of(10**6, model="known-1")), replace(POLICY, prices=KNOWN))
    assert [gap["model"] for gap in entry.body["metadata"]["keito"]["gaps"]] == ["house-1"]
    assert "gaps" not in expense.body["metadata"]["keito"]
    assert late(billed(call_of(10**6), policy=PRICED)) is None, "nothing is missing"


def test_markup_currency_and_decimals_are_those_of_the_policy() -> None:
    policy = replace(PRICED, markup="1.20", exchange_rate=ExchangeRate("EUR", Decimal("0.92")), cost_decimals=2)
    assert late(billed(call_of(10**6)), policy).body["total_cost"] == Decimal("0.55")  # 0.5 x 0.92 x 1.2 = 0.552


def test_it_waits_until_every_model_has_a_price() -> None:
    entry = billed(call_of(10), call_of(10, model="other-1"))
    found = late(entry)
    assert found.models == ("other-1",)
    assert found.reason.startswith("other-1: ")


def test_calls_that_no_price_can_help_do_not_hold_it_up_and_are_flagged() -> None:
    silent = LLMCall(NOW, NOW, provider="house", served_model="house-1")
    found = late(billed(call_of(10**6), silent))
    assert found.body["total_cost"] == Decimal("0.5")
    assert found.body["metadata"]["keito"]["flags"] == ["unpriced"]


class TestDoubt:
    def test_a_price_that_depends_on_the_size_of_calls(self) -> None:
        pytest.importorskip("genai_prices")
        model = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
        gaps = [{**model, "hour": "2026-11-20T09Z", "calls": 2, "tokens": {"input": 150_000}}]
        assert priced(gaps) == Decimal("0.45"), "together too small for the higher rate"
        gaps[0]["tokens"] = {"input": 250_000}
        assert priced(gaps) == "claude-sonnet-4-5: its price depends on the size of each call"
        gaps[0]["calls"] = 1
        assert priced(gaps) == Decimal("1.5")

    def test_a_price_that_changed_within_the_hour(self) -> None:
        table = PriceTable(
            [
                replace(HOUSE, valid_until=datetime(2026, 11, 20, 9, 30, tzinfo=timezone.utc)),
                replace(HOUSE, input=Decimal(9), valid_from=datetime(2026, 11, 20, 9, 30, tzinfo=timezone.utc)),
            ]
        )
        gaps = [{"provider": "house", "model": "house-1", "hour": "2026-11-20T09Z", "calls": 1, "tokens": {"input": 1}}]
        assert priced(gaps, table) == "house-1: its price changed within the hour"

    def test_a_price_of_each_request_counts_for_each(self) -> None:
        table = PriceTable([replace(HOUSE, request=Decimal("0.01"))])
        gaps = [{"model": "house-1", "hour": "2026-11-20T09Z", "calls": 3, "tokens": {"input": 10**6}}]
        assert priced(gaps, table) == Decimal("0.53")


def priced(gaps: "list[dict[str, Any]]", table: "PriceTable | None" = None) -> Any:
    keito = {"key": "run-time-0", "gaps": gaps, "unpriced": [{"calls": sum(gap["calls"] for gap in gaps)}]}
    body = {"project_id": "proj", "spent_date": "2026-11-20", "metadata": {"keito": keito}}
    found = late_expenses("run-time-0", body, replace(POLICY, prices=table))
    return found.reason if isinstance(found, Unbilled) else found[0].body["total_cost"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"expense_category_id": None}, "KEITO_EXPENSE_CATEGORY_ID is not set"),
        ({"exchange_rate": ExchangeRate("EUR", lambda _: None)}, "there is no exchange rate for its day"),  # type: ignore[arg-type, return-value]
        ({"post": replace(POLICY.post, expense=False)}, "the policy posts no expenses for it"),
    ],
)
def test_why_there_is_none(fields: "dict[str, Any]", reason: str) -> None:
    assert late(billed(call_of(10**6)), replace(PRICED, **fields)) == Unbilled(reason)


def test_costs_in_two_currencies_are_two_expenses() -> None:
    pytest.importorskip("genai_prices")
    prices = PriceTable([HOUSE], currency="EUR")
    nobodys = PriceTable([ModelPrice("gpt-4o-mini", input=Decimal(1), tier="batch")])
    listed = replace(call_of(10**6, model="gpt-4o-mini"), provider="openai")
    entry = billed(call_of(10**6), listed, policy=replace(POLICY, prices=nobodys))
    found = late_expenses(entry.key, entry.body, replace(POLICY, prices=prices))
    assert not isinstance(found, Unbilled)
    assert [one.key for one in found] == [f"{entry.key}-reprice", f"{entry.key}-reprice-1"]
    facts = [one.body["metadata"]["keito"] for one in found]
    assert [(one.body["total_cost"], about["currency"]) for one, about in zip(found, facts)] == [
        (Decimal("0.5"), "EUR"),
        (Decimal("0.15"), "USD"),
    ]
    assert [about.get("flags") for about in facts] == [None, None]
    assert [about.get("calls") for about in facts] == [2, None], "sums over expenses count the calls once"


def test_a_day_of_calls_of_two_models_is_priced_as_a_whole() -> None:
    models = PriceTable([replace(HOUSE, model="house-*")], version="2026-11")
    made = [
        call_of(10**6, 7, model=f"house-{name}", at=NOW - timedelta(hours=hour)) for hour in range(24) for name in "ab"
    ]
    entry = billed(*made)
    gaps = entry.body["metadata"]["keito"]["gaps"]
    assert [(gap["hour"], gap["until"], gap["calls"]) for gap in gaps] == [("2026-11-19T10Z", "2026-11-20T09Z", 24)] * 2
    found = late(entry, replace(POLICY, prices=models))
    assert found.body["total_cost"] == Decimal("24.000672")
    assert "flags" not in found.body["metadata"]["keito"]
    dearer = replace(HOUSE, model="house-*", input=Decimal(9), valid_from=NOW - timedelta(hours=3))
    changed = PriceTable([replace(HOUSE, model="house-*", valid_until=NOW - timedelta(hours=3)), dearer])
    assert late(entry, replace(POLICY, prices=changed)).reason.startswith("house-a: its price changed within the hours")


def test_what_costs_nothing_gives_none() -> None:
    assert (
        late(billed(call_of(10)), replace(POLICY, prices=PriceTable([ModelPrice("house-1", input=Decimal(0))]))) is None
    )


def test_a_folded_run_is_priced_later_as_well() -> None:
    entry = billed(*[call_of(1_000, at=NOW + timedelta(seconds=number)) for number in range(CALLS_KEPT + 76)])
    assert late(entry).body["total_cost"] == Decimal("0.0005") * (CALLS_KEPT + 76)
