from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keito.billing import AgentBilling, BillingPolicy, records_for
from keito.billing.cost import OTHER_MODELS, RunCost
from keito.billing.records import cost_of
from keito.metering import AgentRun, LLMCall, Usage
from keito.metering.events import CALLS_KEPT
from keito.outbox import BillingRecord
from keito.pricing import ModelPrice, PricedCall, PriceTable
from keito.types.given import encode

pytest.importorskip("genai_prices")

NOW = datetime(2026, 11, 20, 9, 59, tzinfo=timezone.utc)
MODELS = ("gpt-5-mini", "claude-sonnet-4-5", "gpt-17", "gpt-5")
calls = st.builds(
    lambda model, tokens, output, read, cached: LLMCall(
        NOW,
        NOW,
        provider="openai" if model.startswith("gpt") else "anthropic",
        served_model=model,
        usage=Usage(input_tokens=tokens, output_tokens=output, cache_read_tokens=min(tokens, read)),
        cached=cached,
    ),
    model=st.sampled_from(MODELS),
    tokens=st.integers(0, 400_000),
    output=st.integers(0, 10_000),
    read=st.integers(0, 1000),
    cached=st.booleans(),
)
trees = st.recursive(st.lists(calls, max_size=4), lambda inner: st.lists(inner, max_size=4), max_leaves=12)


def leaves(tree: Any) -> "list[LLMCall]":
    return [call for part in tree for call in ([part] if isinstance(part, LLMCall) else leaves(part))]


def grow(run: AgentRun, tree: Any) -> None:
    for part in tree:
        if isinstance(part, LLMCall):
            run.record(part)
        else:
            with run.child() as child:
                grow(child, part)


def shown(cost: RunCost) -> Any:
    return (cost.calls, cost.cached, cost.failed, cost.usage, cost.amounts, cost.complete)


@given(tree=trees)
def test_the_roll_up_of_any_tree_is_the_sum_of_its_leaves(tree: Any) -> None:
    policy = BillingPolicy("p", "t", "c")
    with AgentRun() as root:
        grow(root, tree)
    total = RunCost()
    for call in leaves(tree):
        with AgentRun() as alone:
            alone.record(call)
        total.merge(cost_of(alone, policy))
    assert shown(cost_of(root, policy)) == shown(total)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_calls=st.lists(calls, max_size=30), kept=st.integers(0, 10))
def test_folding_changes_nothing_in_the_records(
    given_calls: "list[LLMCall]", kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = BillingPolicy("p", "t", "c")
    with monkeypatch.context() as patch:
        patch.setattr("keito.metering.events.CALLS_KEPT", kept)
        folded = AgentBilling(policy, delivery=Nowhere()).start()
        for call in given_calls:
            folded.record(call)
    assert len(folded.calls) == min(kept, len(given_calls))
    plain = AgentRun(uid=folded.uid, started_at=folded.started_at)
    for call in given_calls:
        plain.record(call)
    for run in (folded, plain):
        run.end(elapsed_ns=1)
    assert [encode(record.body) for record in records_for(folded, policy)] == [
        encode(record.body) for record in records_for(plain, policy)
    ]


class Nowhere:
    """A delivery that forgets."""

    def deliver(self, records: "list[BillingRecord]") -> None: ...

    def accept(self, records: "list[BillingRecord]") -> None: ...

    def flush(self, timeout: float = 10.0) -> Any: ...

    def close(self) -> None: ...


def test_each_folded_call_is_priced_at_its_own_size_and_time() -> None:
    run = AgentBilling(BillingPolicy("p", "t", "c"), delivery=Nowhere()).start()
    for _ in range(2 * CALLS_KEPT):
        run.record_llm_call(provider="anthropic", model="claude-sonnet-4-5", input_tokens=60_000)
    run.end()
    # As one request they would cost twice that.
    assert cost_of(run, BillingPolicy("p", "t")).amounts == {"USD": 2 * CALLS_KEPT * Decimal("0.18")}


def test_what_has_no_price_is_named_by_model_reason_and_hour() -> None:
    cost = cost_of_unpriced(2, NOW, NOW + timedelta(minutes=5))
    first, second = cost.gaps
    assert (first.model, first.tier, first.reason, first.calls) == ("gpt-17", "flex", "unknown model", 2)
    assert (first.usage.input_tokens, first.usage.output_tokens) == (20, 2)
    assert (first.hour, second.hour) == (NOW.replace(minute=0), NOW.replace(hour=10, minute=0))


def cost_of_unpriced(count: int, *times: datetime) -> RunCost:
    run = AgentRun()
    for time in times:
        for _ in range(count):
            usage = Usage(input_tokens=10, output_tokens=1)
            run.record(LLMCall(time, time, provider="openai", served_model="gpt-17", usage=usage, tier="flex"))
    return cost_of(run, BillingPolicy("p", "t"))


def test_gaps_and_models_are_bounded_and_complete() -> None:
    run = AgentRun()
    for number in range(400):
        run.record_llm_call(provider="p", model=f"m-{number}", input_tokens=1)
    cost = cost_of(run, BillingPolicy("p", "t"))
    assert (len(cost.models), len(cost.gaps)) == (65, 257)
    assert (cost.calls, cost.usage.input_tokens) == (400, 400)
    assert sum(gap.calls for gap in cost.gaps) == 400
    assert cost.models[0].name == OTHER_MODELS


def test_own_prices_in_another_currency_are_kept_apart() -> None:
    table = PriceTable([ModelPrice("house-llm", input=Decimal(2))], currency="EUR")
    run = AgentRun()
    run.record_llm_call(provider="house", model="house-llm", input_tokens=10**6)
    run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=10**6)
    assert cost_of(run, BillingPolicy("p", "t", prices=table)).amounts == {"EUR": Decimal(2), "USD": Decimal("0.25")}


def test_a_call_that_arrives_in_the_midst_of_a_fold_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keito.metering.events.CALLS_KEPT", 0)
    run = AgentBilling(BillingPolicy("p", "t", "c"), delivery=Nowhere()).start()
    inner = [LLMCall(NOW, NOW, served_model="inner", reported_cost=Decimal(1))]

    def price(call: LLMCall, table: Any) -> PricedCall:
        if inner:
            run.record(inner.pop())  # as the garbage collector may, where it ends a stream
        return PricedCall(amount=call.reported_cost)

    monkeypatch.setattr("keito.billing.pricing.price", price)
    run.record_llm_call(model="outer", input_tokens=1, reported_cost=2)
    run.end()
    assert cost_of(run, BillingPolicy("p", "t")).amounts == {"USD": Decimal(3)}


def bytes_of_kept_calls(count: int) -> int:
    import tracemalloc

    run = AgentBilling(BillingPolicy("p", "t", "c"), delivery=Nowhere()).start()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(count):
            run.record_llm_call(
                provider="openai",
                model="gpt-5-mini",
                input_tokens=10_000 + number,
                output_tokens=1_000 + number,
                response_id=f"chatcmpl-{number:032}",
            )
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def test_a_kept_call_takes_at_most_600_bytes() -> None:
    bytes_of_kept_calls(256)  # what the first use of the code loads and caches is no call's
    assert bytes_of_kept_calls(256) / 256 <= 600


def test_a_call_whose_counts_are_no_numbers_does_not_cost_the_run_its_bill() -> None:
    run = AgentRun()
    wrong: Any = "many"
    run.record(LLMCall(NOW, NOW, provider="openai", served_model="gpt-5", usage=Usage(input_tokens=wrong)))
    run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=10**6)
    run.end(elapsed_ns=1)
    time, expense = records_for(run, BillingPolicy("p", "t", "c"))
    assert expense.body["total_cost"] == Decimal("0.25")
    (gap,) = time.body["metadata"]["keito"]["unpriced"]
    assert gap == {"model": "gpt-5", "reason": "impossible token count", "calls": 1}


def test_records_by_other_prices_are_refused_where_calls_were_priced_already(policy: BillingPolicy, kept: Any) -> None:
    cheap = PriceTable([ModelPrice("m", input=Decimal(1))])
    dear = replace(policy, prices=PriceTable([ModelPrice("m", input=Decimal(9))]))
    billing = AgentBilling(policy, delivery=kept, prices=cheap)
    few, many = billing.start(), billing.start()
    for run, calls in ((few, CALLS_KEPT), (many, CALLS_KEPT + 44)):
        for _ in range(calls):
            run.record_llm_call(model="m", input_tokens=10**6)
        run.end()
    assert records_for(few, dear)[-1].body["total_cost"] == 9 * CALLS_KEPT
    assert records_for(many, replace(policy, prices=cheap, markup=2))[-1].body["total_cost"] == 2 * (CALLS_KEPT + 44)
    with pytest.raises(ValueError, match="44 were priced when they were made"):
        records_for(many, dear)
