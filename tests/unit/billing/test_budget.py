import logging
import threading
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from keito import KeitoError
from keito.billing import AgentBilling, BillingPolicy, Budget, KeitoBudgetExceeded
from keito.metering import AgentRun, check_budget
from keito.pricing import ExchangeRate, ModelPrice, PriceTable


@pytest.fixture
def start(policy: BillingPolicy, kept: Any) -> Any:
    def start(*budgets: Budget, **fields: Any) -> AgentBilling:
        return AgentBilling(policy, delivery=kept, budget=budgets, **fields)

    return start


def call(run: AgentRun, cost: str = "0.5", tokens: int = 10) -> None:
    run.record_llm_call(provider="x", model="m", input_tokens=tokens, output_tokens=0, reported_cost=cost)


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        (Budget(max_cost="1", stop=True), "cost 1.0 of 1"),
        (Budget(max_tokens=20, stop=True), "tokens 20 of 20"),
        (Budget(max_calls=2, stop=True), "calls 2 of 2"),
    ],
)
def test_it_stops_before_the_call_after_the_last_that_fitted(start: Any, budget: Budget, says: str) -> None:
    with start(budget).run() as run:
        for _ in range(2):
            run.check_budget()
            call(run)
        with pytest.raises(KeitoBudgetExceeded, match=says) as caught:
            check_budget()
        call(run)  # what was called is recorded all the same
    assert (caught.value.run_id, isinstance(caught.value, KeitoError)) == (run.uid, True)
    assert len(run.calls) == 3


def test_a_budget_says_and_flags_and_stops_only_where_it_is_asked_to(
    start: Any, kept: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with start(Budget(max_calls=1)).run() as run:
        for _ in range(3):
            run.check_budget()
            call(run)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "calls 1 of 1" in caplog.text
    assert kept.records[0].body["metadata"]["keito"]["flags"] == ["budget_exceeded"]


def test_children_count_for_their_root(start: Any) -> None:
    with start(Budget(max_calls=2, stop=True)).run() as run:
        with run.child() as child:
            call(child)
        call(run)
        with run.child() as child, pytest.raises(KeitoBudgetExceeded):
            child.check_budget()


def test_a_run_is_a_new_run(start: Any) -> None:
    billing = start(Budget(max_calls=1, stop=True))
    for _ in range(2):
        with billing.run() as run:
            run.check_budget()
            call(run)


@pytest.mark.parametrize("per", ["day", "project"])
def test_days_and_projects_are_shared_by_their_runs(start: Any, per: Any) -> None:
    billing = start(Budget(max_cost=1, per=per, stop=True), timezone="UTC")
    for _ in range(2):
        with billing.run() as run:
            run.check_budget()
            call(run)
    with billing.run() as run, pytest.raises(KeitoBudgetExceeded):
        run.check_budget()
    with billing.run(project_id="another") as run:
        run.check_budget()


def test_yesterdays_spending_is_forgotten(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import datetime, timedelta, timezone
    from types import SimpleNamespace

    now = [datetime(2026, 11, 20, 12, tzinfo=timezone.utc)]
    clock = SimpleNamespace(now=lambda zone: now[0].astimezone(zone))  # noqa: PLW0108
    monkeypatch.setattr("keito.billing.account.datetime", clock)
    billing = start(Budget(max_calls=1, per="day", stop=True))
    for _ in range(5):
        with billing.run() as run:
            run.check_budget()
            call(run)
        now[0] += timedelta(days=1)
    assert len(billing.meters._spent) <= 2


def test_calls_without_a_price_are_nothing_or_the_end_by_choice(start: Any) -> None:
    pytest.importorskip("genai_prices")
    for unpriced, stops in (("allow", False), ("refuse", True)):
        with start(Budget(max_cost=100, unpriced=unpriced, stop=True)).run() as run:
            run.record_llm_call(provider="openai", model="gpt-17", input_tokens=10**9)
            if stops:
                with pytest.raises(KeitoBudgetExceeded, match="calls without a known price: 1"):
                    run.check_budget()
            else:
                run.check_budget()


def test_cached_answers_cost_nothing_and_failed_calls_count_as_calls(start: Any) -> None:
    with start(Budget(max_cost=1, max_tokens=5, stop=True)).run() as run:
        run.record_llm_call(provider="x", model="m", input_tokens=10, cached=True)
        run.check_budget()


def test_several_budgets_hold_together(start: Any) -> None:
    with start(Budget(max_calls=5), Budget(max_tokens=10, stop=True)).run() as run:
        call(run, tokens=10)
        with pytest.raises(KeitoBudgetExceeded, match="tokens 10 of 10"):
            run.check_budget()


def test_a_budget_that_is_given_twice_counts_once(start: Any) -> None:
    with start(Budget(max_calls=2, stop=True), Budget(max_calls=2, stop=True)).run() as run:
        call(run)
        run.check_budget()
        call(run)
        with pytest.raises(KeitoBudgetExceeded, match="calls 2 of 2"):
            run.check_budget()


def test_calls_from_many_threads_are_all_counted(start: Any) -> None:
    with start(Budget(max_cost=80, stop=True)).run() as run:

        def work() -> None:
            for _ in range(20):
                call(run)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with pytest.raises(KeitoBudgetExceeded, match=r"cost 80\.0 of 80"):
            run.check_budget()


def test_an_exceeded_budget_fails_the_run_and_bills_what_was_used(start: Any, kept: Any) -> None:
    def work(run: AgentRun) -> None:
        call(run)
        run.check_budget()

    with pytest.raises(KeitoBudgetExceeded), start(Budget(max_calls=1, stop=True)).run() as run:
        work(run)
    assert [record.kind.value for record in kept.records] == ["time_entry", "expense"]
    assert kept.records[0].body["metadata"]["keito"]["status"] == "failed"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"max_cost": -1},
        {"max_cost": "much"},
        {"max_calls": 1.5},
        {"max_tokens": True},
        {"max_calls": 1, "per": "week"},
        {"max_calls": 1, "unpriced": "guess"},
    ],
)
def test_a_wrong_budget_is_refused(fields: "dict[str, Any]") -> None:
    with pytest.raises(ValueError, match=r"budget|max_|per is"):
        Budget(**fields)


def test_costs_are_exact_and_equal_budgets_are_one() -> None:
    assert Budget(max_cost=0.1).max_cost == Decimal("0.1")
    assert Budget(max_cost="0.1") == Budget(max_cost=0.1)
    assert {Budget(max_calls=1): 1}[replace(Budget(max_calls=1))] == 1


def test_errors_of_budgets_stay_inside(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("keito.billing.account.price_of", broken)
    billing = start(Budget(max_cost=1, stop=True))
    with billing.run() as run:
        call(run)
    assert billing.guard.count >= 1


def test_the_cost_of_other_usage_counts(start: Any) -> None:
    with start(Budget(max_cost=1, stop=True)).run() as run:
        run.record_usage("search", cost="0.6")
        run.check_budget()
        run.child().record_usage("search", cost="0.4")
        with pytest.raises(KeitoBudgetExceeded, match=r"cost 1\.0 of 1"):
            run.check_budget()


HOUSE = PriceTable([ModelPrice("house-llm", input=Decimal(2))], currency="EUR")


def _spend_euros_and_dollars(run: AgentRun) -> None:
    run.record_llm_call(provider="house", model="house-llm", input_tokens=10**6)  # 2 EUR
    call(run, cost="1")


@pytest.mark.parametrize(
    ("rate", "currency", "says"),
    [
        (None, "EUR", r"cost 2(\.0+)? of 1"),
        (None, None, r"cost 2(\.0+)? of 1"),  # of the user's own prices
        (None, "USD", r"cost 1(\.0+)? of 1"),
        (Decimal("0.5"), "EUR", r"cost 2\.50* of 1"),
        (Decimal("0.5"), "USD", r"cost 5(\.0+)? of 1"),
    ],
)
def test_costs_in_two_currencies_are_not_added_without_a_rate(start: Any, rate: Any, currency: Any, says: str) -> None:
    exchange_rate = None if rate is None else ExchangeRate("EUR", rate)
    budget = Budget(max_cost=1, stop=True, currency=currency)
    with start(budget, prices=HOUSE, exchange_rate=exchange_rate).run() as run:
        _spend_euros_and_dollars(run)
        with pytest.raises(KeitoBudgetExceeded, match=says):
            run.check_budget()


def test_a_cost_that_cannot_be_converted_has_no_price_for_the_budget(start: Any) -> None:
    with start(Budget(max_cost=100, unpriced="refuse", stop=True), prices=HOUSE).run() as run:
        run.record_usage("search", cost="1")
        with pytest.raises(KeitoBudgetExceeded, match="without a known price"):
            run.check_budget()


def test_a_budget_has_a_currency() -> None:
    with pytest.raises(ValueError, match="ISO code"):
        Budget(max_cost=1, currency="euros")


def test_a_fuller_report_counts_in_place_of_the_first(start: Any) -> None:
    with start(Budget(max_cost=3, max_tokens=100, max_calls=2, unpriced="refuse", stop=True)).run() as run:
        run.record_llm_call(provider="x", model="m", response_id="msg_01XFDUDYJgAACzvnptvVoYEL")
        with pytest.raises(KeitoBudgetExceeded, match="known price: 1"):
            run.check_budget()
        run.record_llm_call(model="m", input_tokens=99, reported_cost="2", response_id="msg_01XFDUDYJgAACzvnptvVoYEL")
        run.check_budget()  # one call of 99 tokens
        run.record_usage("search", cost="1")
        with pytest.raises(KeitoBudgetExceeded, match="cost 3 of 3"):
            run.check_budget()
