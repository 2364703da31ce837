"""The windows of rollups on the days on which clocks change."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keito.billing import BillingPolicy
from keito.billing.records import cost_of
from keito.billing.rollup import Rollup
from keito.billing.window import window_of
from keito.metering import AgentRun
from keito.metering.stopwatch import epoch_ns

ZONES = ("Europe/Berlin", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns")
YEAR = datetime(2024, 1, 1, tzinfo=timezone.utc)
HOUR_NS = 3600 * 10**9
moments = st.integers(0, 366 * 24 * 60).map(lambda minutes: YEAR + timedelta(minutes=minutes))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(at=moments, zone=st.sampled_from(ZONES), per=st.sampled_from(["hour", "day"]))
def test_every_moment_is_in_one_window_and_windows_follow_each_other(
    policy: BillingPolicy, at: datetime, zone: str, per: Any
) -> None:
    rolled, local = replace(policy, rollup=per, timezone=zone), ZoneInfo(zone)
    window = window_of(rolled, None, epoch_ns(at) + 1_000, local)
    assert window.start <= at < window.end
    assert at.astimezone(local).date() == window.day
    following = window_of(rolled, None, epoch_ns(window.end) + 1_000, local)
    assert following.start == window.end
    assert window_of(rolled, None, epoch_ns(window.end), local) == window  # work that ends at the end is inside


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(began=moments, hours=st.integers(1, 80), zone=st.sampled_from(ZONES))
def test_a_run_of_several_days_loses_no_time_in_a_rollup(
    policy: BillingPolicy, began: datetime, hours: int, zone: str
) -> None:
    rolled = replace(policy, rollup="day", timezone=zone)
    run = AgentRun("long", started_at=began)
    run.end(elapsed_ns=hours * HOUR_NS)
    rollup = Rollup(lambda: YEAR)
    records = [*rollup.add(run, rolled, cost_of(run, rolled)), *rollup.close_windows()]
    assert abs(sum(record.body["hours"] for record in records) - hours) <= Decimal("0.000005")
    days = [record.body["spent_date"] for record in records]
    assert min(days) == began.astimezone(ZoneInfo(zone)).date().isoformat()


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_days_on_which_clocks_change_have_the_hours_that_they_have(policy: BillingPolicy, day: str, hours: int) -> None:
    berlin = replace(policy, rollup="day", timezone="Europe/Berlin")
    began = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin")) - timedelta(days=1)
    run = AgentRun("long", started_at=began)
    run.end(elapsed_ns=(24 + hours + 24) * HOUR_NS)
    rollup = Rollup(lambda: YEAR)
    records = [*rollup.add(run, berlin, cost_of(run, berlin)), *rollup.close_windows()]
    sums: dict[str, Decimal] = {}
    for record in records:
        date = record.body["spent_date"]
        sums[date] = sums.get(date, Decimal(0)) + record.body["hours"]
    assert sums[day] == hours
    assert all(record.body["hours"] <= 24 for record in records)
    assert sum(sums.values()) == 48 + hours


@pytest.mark.parametrize("per", ["hour", "day"])
@pytest.mark.parametrize("zone", ZONES)
def test_a_run_without_duration_at_midnight_is_on_the_day_that_begins(
    policy: BillingPolicy, per: Any, zone: str
) -> None:
    rolled = replace(policy, rollup=per, timezone=zone)
    run = AgentRun("short", started_at=datetime(2026, 11, 20, tzinfo=ZoneInfo(zone)))
    run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=5, reported_cost="0.5")
    run.end(elapsed_ns=0)
    rollup = Rollup(lambda: YEAR)
    records = [*rollup.add(run, rolled, cost_of(run, rolled)), *rollup.close_windows()]
    assert [record.body["spent_date"] for record in records] == ["2026-11-20"] * 2
