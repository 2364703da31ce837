"""Policies and costs are the same after they were text, so that another process bills what the first would have."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito.billing import BillingPolicy, Budget, Outcome, Post
from keito.billing.cost import RunCost
from keito.billing.expenses import expenses_for
from keito.billing.plain import cost_of_text, cost_text, policy_of, policy_text
from keito.billing.pricing import add_call
from keito.metering import LLMCall, OtherUsage, Usage
from keito.pricing import ExchangeRate, ExchangeRateError, PriceTable
from keito.pricing.model_price import ModelPrice

DAY = date(2026, 11, 23)
ids = st.text("abc-_é", min_size=1, max_size=8)
amounts = st.decimals("0.000001", 10**6, places=9)
posts = st.builds(Post, *[st.booleans()] * 4)
moments = (
    st.none()
    | st.dates(date(2020, 1, 1), date(2030, 1, 1))
    | st.datetimes().map(lambda at: at.replace(tzinfo=timezone.utc, fold=0))
)
entries = st.builds(ModelPrice, ids, st.none() | ids, amounts, st.none() | amounts, valid_from=moments)
tables = st.lists(entries, max_size=4, unique_by=lambda entry: entry.model).map(PriceTable)
budgets = st.builds(
    Budget, amounts, st.none() | st.integers(0, 99), per=st.sampled_from(["run", "day"]), stop=st.booleans()
)
policies = st.builds(
    BillingPolicy,
    ids,
    ids,
    *[st.none() | ids] * 3,
    billable=st.none() | st.booleans(),
    timezone=st.none() | st.just("Europe/Berlin"),
    outcome=st.none() | st.builds(Outcome, ids, amounts),
    notes=st.none() | st.just("{name} for {tenant}"),
    post=posts,
    abandoned=posts,
    rounding=st.sampled_from(["none", "up_15"]),
    minimum_minutes=st.integers(0, 60) | st.decimals(0, 60, places=2),
    expense_per=st.sampled_from(["run", "model"]),
    cost_decimals=st.integers(0, 6),
    markup=amounts,
    exchange_rate=st.none() | st.builds(ExchangeRate, st.just("EUR"), amounts),
    prices=st.none() | tables,
    rollup=st.sampled_from([None, "hour", "day"]),
    budget=st.none() | budgets | st.lists(budgets, max_size=2),
)


@given(policies)
def test_a_policy_is_the_same_after_it_was_text(policy: BillingPolicy) -> None:
    found = policy_of(policy_text(policy, DAY))
    assert found == policy
    assert repr(found) == repr(policy)


def test_a_rate_that_is_a_function_is_kept_as_that_of_the_day() -> None:
    rates = {DAY: Decimal("0.91")}
    policy = BillingPolicy("p", "t", exchange_rate=ExchangeRate("EUR", lambda day: rates[day]))
    found = policy_of(policy_text(policy, DAY)).exchange_rate
    assert found == ExchangeRate("EUR", Decimal("0.91"))


def test_a_rate_that_could_not_be_had_stays_unknown() -> None:
    policy = BillingPolicy("p", "t", exchange_rate=ExchangeRate("EUR", lambda day: Decimal("NaN")))
    found = policy_of(policy_text(policy_of(policy_text(policy, DAY)), DAY)).exchange_rate
    assert found is not None
    with pytest.raises(ExchangeRateError, match="not a positive number"):
        found.on(DAY)


def test_an_outcome_that_is_a_function_is_left_out() -> None:
    policy = BillingPolicy("p", "t", outcome=lambda run, result: None)
    assert policy_of(policy_text(policy, DAY)) == BillingPolicy("p", "t")


names = st.sampled_from(["gpt-5-mini", "claude-opus-4-6", "nobody-knows-it"])
usages = st.none() | st.builds(Usage, st.integers(0, 10**6), st.integers(0, 10**6))
calls = st.builds(
    lambda hour, name, usage, cost, cached, partial: LLMCall(
        (at := datetime(2026, 11, 1, tzinfo=timezone.utc) + timedelta(hours=hour)),
        at,
        "openai",
        served_model=name,
        usage=usage,
        reported_cost=cost,
        cached=cached,
        partial=partial,
    ),
    st.integers(0, 300),
    names,
    usages,
    st.none() | amounts,
    st.booleans(),
    st.booleans(),
)


@given(
    st.lists(calls, max_size=12), st.lists(st.builds(OtherUsage, ids, ids, amounts, st.none() | amounts), max_size=3)
)
def test_a_cost_is_the_same_after_it_was_text(some: "list[LLMCall]", other: "list[OtherUsage]") -> None:
    policy, cost = BillingPolicy("p", "t", "c"), RunCost()
    for call in some:
        add_call(cost, call, policy)
    cost.add_other(other)
    found = cost_of_text(cost_text(cost))
    assert _facts(found, policy) == _facts(cost, policy)
    found.merge(cost)
    cost.merge(cost_of_text(cost_text(cost)))
    assert _facts(found, policy) == _facts(cost, policy)


def _facts(cost: RunCost, policy: BillingPolicy) -> "list[Any]":
    charged = [(part.body(policy), part.facts()) for part in expenses_for(cost, policy, DAY)]
    return [
        charged,
        cost.amounts,
        cost.usage,
        cost.gaps,
        cost.rates,
        cost.calls,
        cost.cached,
        cost.failed,
        cost.partial,
    ]
