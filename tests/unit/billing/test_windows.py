"""Shares that were texts give the records that the runs themselves give."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from keito.billing import BillingPolicy
from keito.billing.records import cost_of
from keito.billing.rollup import Rollup
from keito.billing.share import shares_of
from keito.billing.windows import records_of_shares
from keito.metering import AgentRun, RunStatus
from keito.outbox import BillingRecord, RecordKind
from keito.outbox.stored import WindowShare
from keito.pricing import PriceTable
from keito.pricing.model_price import ModelPrice

NINE = datetime(2026, 11, 20, 9, tzinfo=timezone.utc)
MINUTE = 60 * 10**9
POLICY = BillingPolicy("proj", "task", "cat", agent_id="bot", timezone="UTC", rollup="hour")


def run_of(
    minutes: float, cost: "str | None", *, at: datetime = NINE, status: RunStatus = RunStatus.COMPLETED
) -> AgentRun:
    run = AgentRun("work", agent_id="bot", started_at=at)
    if cost is not None:
        run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=100, reported_cost=cost)
    run.end(status, elapsed_ns=int(minutes * MINUTE))
    return run


def stored(runs: "list[AgentRun]", policy: BillingPolicy = POLICY) -> "list[WindowShare]":
    return [share.stored() for run in runs for share in shares_of(run, policy, cost_of(run, policy))]


def closed(
    shares: "list[WindowShare]", carried: "dict[str, str] | None" = None
) -> "tuple[list[BillingRecord], dict[str, str]]":
    (_,) = {share.window for share in shares}
    return records_of_shares([share.body for share in shares], carried or {})


def without_key(record: BillingRecord) -> Any:
    body = json.loads(json.dumps(record.body, default=str))
    del body["metadata"]["keito"]["key"]
    return record.kind, body, record.members


runs = st.builds(
    run_of,
    st.floats(1, 50),
    st.none() | st.decimals(0, 5, places=5).map(str),
    status=st.sampled_from([RunStatus.COMPLETED, RunStatus.FAILED]),
)


@given(st.lists(runs, min_size=1, max_size=8))
def test_a_window_in_a_store_gives_the_same_records_as_one_in_memory(some: "list[AgentRun]") -> None:
    rollup = Rollup(lambda: NINE)
    for run in some:
        assert rollup.add(run, POLICY, cost_of(run, POLICY)) == []
    expected = [without_key(record) for record in rollup.close_windows()]
    records, _ = closed(stored(some))
    assert [without_key(record) for record in records] == expected


def test_the_same_shares_give_the_same_keys_and_others_give_others() -> None:
    shares = stored([run_of(1, "0.1"), run_of(2, "0.2")])
    keys = [record.key for record in closed(shares)[0]]
    assert [record.key for record in closed(shares[::-1])[0]] == keys
    assert not {record.key for record in closed(shares[:1])[0]} & set(keys)


def test_ten_thousand_tiny_calls_are_not_rounded_to_nothing() -> None:
    policy = replace(POLICY, cost_decimals=2)
    carried: dict[str, str] = {}
    total = Decimal(0)
    for hour in range(10):
        some = [run_of(0, "0.0004", at=NINE + timedelta(hours=hour)) for _ in range(100)]
        records, carried = closed(stored(some, policy), carried)
        total += sum(record.body["total_cost"] for record in records if record.kind is RecordKind.EXPENSE)
        carried = {place: amount for place, amount in carried.items() if amount}
    assert total + sum(map(Decimal, carried.values())) == Decimal("0.4")
    assert abs(total - Decimal("0.4")) <= Decimal("0.01")


def test_a_carry_that_is_used_up_is_taken_away() -> None:
    policy = replace(POLICY, cost_decimals=2)
    _, carried = closed(stored([run_of(1, "0.014")], policy))
    assert set(carried.values()) == {"0.004"}
    (expense,) = [r for r in closed(stored([run_of(1, "0.006")], policy), carried)[0] if r.kind is RecordKind.EXPENSE]
    assert expense.body["total_cost"] == Decimal("0.01")
    assert set(closed(stored([run_of(1, "0.006")], policy), carried)[1].values()) == {""}


def test_a_run_over_midnight_has_a_share_of_each_day() -> None:
    policy = replace(POLICY, rollup="day")
    shares = stored([run_of(60, "0.5", at=NINE.replace(hour=23, minute=30))], policy)
    assert [share.ends_at for share in shares] == sorted({share.ends_at for share in shares}, reverse=True)
    assert len({share.key for share in shares}) == 2
    today, yesterday = (records_of_shares([share.body], {})[0] for share in shares)
    assert [record.body["spent_date"] for record in yesterday] == ["2026-11-20"]
    assert [record.kind for record in today] == [RecordKind.TIME_ENTRY, RecordKind.EXPENSE]


def test_a_share_is_as_short_where_the_policy_has_a_long_list_of_prices() -> None:
    table = PriceTable(ModelPrice(f"model-{number}", input=Decimal(1)) for number in range(500))
    (share,) = stored([run_of(1, "1")], replace(POLICY, prices=table))
    assert len(share.body) < 3_000
