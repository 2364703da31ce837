from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keito.billing import BillingPolicy, records_for
from keito.billing.charge import charges_for, posted
from keito.metering import AgentRun
from keito.outbox import RecordKind
from keito.pricing import ExchangeRate, ModelPrice, PriceTable

DAY = date(2026, 11, 20)
EUROS = ExchangeRate("EUR", Decimal("0.9"))
HOUSE = PriceTable([ModelPrice("house-llm", input=Decimal(2))], currency="EUR")


def run_of(*costs: str) -> AgentRun:
    run = AgentRun()
    for cost in costs:
        run.record_llm_call(provider="x", model="m", input_tokens=5, reported_cost=cost)
    run.end(elapsed_ns=1)
    return run


def expense(run: AgentRun, policy: BillingPolicy) -> "dict[str, Any] | None":
    found = [record for record in records_for(run, policy) if record.kind is RecordKind.EXPENSE]
    return dict(found[0].body) if found else None


def test_the_markup_is_kept_apart_from_the_cost(policy: BillingPolicy) -> None:
    body = expense(run_of("0.10"), replace(policy, markup=Decimal("1.20")))
    assert body is not None
    assert body["total_cost"] == Decimal("0.12")
    facts = body["metadata"]["keito"]
    assert (facts["cost_usd"], facts["markup"], facts["charge"]) == ("0.1", {"factor": "1.2", "amount": "0.02"}, "0.12")
    assert body["metadata"]["model"]["cost_usd"] == Decimal("0.1")


def test_the_exchange_rate_and_its_day_are_recorded(policy: BillingPolicy) -> None:
    asked: list[date] = []

    def rate(day: date) -> Decimal:
        asked.append(day)
        return Decimal("0.91")

    run = run_of("1")
    body = expense(run, replace(policy, exchange_rate=ExchangeRate("EUR", rate), markup=2))
    assert body is not None
    assert body["total_cost"] == Decimal("1.82")
    facts = body["metadata"]["keito"]
    assert facts["exchange"] == [{"from": "USD", "rate": "0.91", "day": body["spent_date"]}]
    assert (facts["currency"], facts["charge"], facts["markup"]["amount"]) == ("EUR", "1.82", "0.91")
    assert set(asked) == {date.fromisoformat(body["spent_date"])}


def test_without_a_rate_for_the_day_the_cost_is_flagged_and_not_invented(
    policy: BillingPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    def rate(day: date) -> Decimal:
        raise KeyError(day)

    converted = replace(policy, exchange_rate=ExchangeRate("EUR", rate))
    (time,) = records_for(run_of("1"), converted)
    assert time.body["metadata"]["keito"]["flags"] == ["no_exchange_rate"]
    assert time.body["metadata"]["keito"]["cost_usd"] == "1"
    assert "no rate from USD to EUR" in caplog.text


def test_costs_in_two_currencies_become_one_amount_with_a_rate(policy: BillingPolicy) -> None:
    run = AgentRun()
    run.record_llm_call(provider="house", model="house-llm", input_tokens=10**6)
    run.record_llm_call(provider="x", model="m", input_tokens=5, reported_cost="1")
    run.end(elapsed_ns=1)
    mixed = replace(policy, prices=HOUSE, exchange_rate=EUROS)
    body = expense(run, mixed)
    assert body is not None
    assert body["total_cost"] == Decimal("2.9")
    assert body["metadata"]["keito"]["costs"] == {"EUR": "2", "USD": "1"}
    assert "cost_usd" not in body["metadata"]["model"]


@pytest.mark.parametrize(("per", "models"), [("run", ["house-llm and 1 more"] * 2), ("model", ["house-llm", "m"])])
def test_costs_in_two_currencies_become_two_expenses_without_a_rate(
    policy: BillingPolicy, per: Any, models: "list[str]"
) -> None:
    run = AgentRun("x", uid="u")
    run.record_llm_call(provider="house", model="house-llm", input_tokens=10**6)
    run.record_llm_call(provider="x", model="m", input_tokens=5, reported_cost="1")
    run.end(elapsed_ns=1)
    (_, euros, dollars) = records_for(run, replace(policy, prices=HOUSE, expense_per=per, markup=2))
    assert (euros.key, dollars.key) == ("u-expense-0", "u-expense-1")
    assert (euros.body["total_cost"], dollars.body["total_cost"]) == (4, 2)
    assert [record.body["notes"].split(":")[0] for record in (euros, dollars)] == models
    facts = [record.body["metadata"]["keito"] for record in (euros, dollars)]
    assert [(fact.get("currency", "USD"), len(fact["pricing"])) for fact in facts] == [("EUR", 1), ("USD", 1)]
    assert sum(record.body["metadata"].get("model", {}).get("tokens_in", 0) for record in (euros, dollars)) == 10**6 + 5
    assert not any("flags" in fact for fact in facts)


def test_one_model_with_two_currencies_becomes_two_expenses_and_shows_its_tokens_once(policy: BillingPolicy) -> None:
    run = AgentRun(uid="u")
    run.record_llm_call(provider="x", model="m", input_tokens=5, reported_cost="1")
    run.record_llm_call(provider="house", model="house-llm", input_tokens=10**6)
    run.record_usage("search", cost="0.5")
    run.end(elapsed_ns=1)
    (_, euros, dollars) = records_for(run, replace(policy, prices=HOUSE))
    assert (euros.body["total_cost"], dollars.body["total_cost"]) == (2, Decimal("1.5"))
    assert [record.body["metadata"]["keito"]["part"] for record in (euros, dollars)] == ["1 of 2", "2 of 2"]
    assert "model" not in dollars.body["metadata"]
    assert euros.body["notes"].endswith("(cost in EUR)")


def test_what_the_rate_is_not_for_is_flagged_and_the_rest_is_posted(policy: BillingPolicy) -> None:
    run = AgentRun()
    run.record_llm_call(provider="house", model="house-llm", input_tokens=10**6)
    run.record_llm_call(provider="x", model="m", input_tokens=5, reported_cost="1")
    run.end(elapsed_ns=1)
    pounds = ExchangeRate("GBP", Decimal("0.8"))
    (_, posted_one) = records_for(run, replace(policy, prices=HOUSE, exchange_rate=pounds))
    assert posted_one.body["total_cost"] == Decimal("0.8")
    assert posted_one.body["metadata"]["keito"]["flags"] == ["no_exchange_rate"]


def test_own_prices_in_one_currency_need_no_rate(policy: BillingPolicy) -> None:
    run = AgentRun()
    run.record_llm_call(provider="house", model="house-llm", input_tokens=10**6)
    run.end(elapsed_ns=1)
    body = expense(run, replace(policy, prices=HOUSE))
    assert body is not None
    assert (body["total_cost"], body["metadata"]["keito"]["currency"]) == (2, "EUR")
    assert body["metadata"]["keito"]["pricing"][0]["currency"] == "EUR"


@pytest.mark.parametrize(
    ("amount", "decimals", "sent"),
    [
        ("1.005", 2, "1.01"),
        ("1.004", 2, "1"),
        ("0.0004", 2, "0.0004"),
        ("0.5", 0, "1"),
        ("0.4", 0, "0.4"),
        ("0", 2, "0"),
    ],
)
def test_precision(amount: str, decimals: int, sent: str) -> None:
    assert posted(Decimal(amount), decimals) == Decimal(sent)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    amounts=st.dictionaries(st.sampled_from(["USD", "EUR"]), st.decimals(0, 10**6, places=9)),
    factor=st.decimals("0.01", 10, places=3),
    rate=st.decimals("0.01", 100, places=4),
)
def test_a_charge_is_exact(
    policy: BillingPolicy, amounts: "dict[str, Decimal]", factor: Decimal, rate: Decimal
) -> None:
    charged = charges_for(amounts, replace(policy, markup=factor, exchange_rate=ExchangeRate("EUR", rate)), DAY)
    exact = (amounts.get("USD", Decimal(0)) * rate + amounts.get("EUR", Decimal(0))) * factor
    assert [charge.amount for charge in charged] == ([exact] if exact else [])
