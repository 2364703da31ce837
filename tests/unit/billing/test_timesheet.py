from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito.billing.rounding import Rounding, to_hours
from keito.billing.timesheet import Line, lines_for, work_days
from keito.metering import AgentRun

HOUR = 3_600_000_000_000
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "Africa/Cairo"),
    *("Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns", "Pacific/Chatham"),
)
EXACT = Rounding()


def ended(began: datetime, nanoseconds: int) -> AgentRun:
    run = AgentRun(started_at=began)
    run.end(elapsed_ns=nanoseconds)
    return run


def lines(zone: str, began: str, hours: "str | int", rounding: Rounding = EXACT) -> "list[tuple[str, Decimal]]":
    start = datetime.fromisoformat(began).replace(tzinfo=ZoneInfo(zone))
    days = work_days(ended(start, int(Decimal(hours) * HOUR)), ZoneInfo(zone))
    return [(line.day.isoformat()[5:], line.hours) for line in lines_for(days, rounding)]


def test_a_run_within_a_day_is_one_line() -> None:
    assert lines("UTC", "2026-11-20T09:00", "1.5") == [("11-20", Decimal("1.5"))]


def test_midnight_divides_it() -> None:
    assert lines("Europe/Berlin", "2026-11-20T22:30", 3) == [("11-20", Decimal("1.5")), ("11-21", Decimal("1.5"))]


def test_a_run_of_days_has_a_line_for_each() -> None:
    found = lines("UTC", "2026-11-20T12:00", 60)
    assert found == [("11-20", Decimal(12)), ("11-21", Decimal(24)), ("11-22", Decimal(24))]


def test_the_day_on_which_clocks_go_forward_has_23_hours() -> None:
    found = lines("Europe/Berlin", "2026-03-28T23:00", 25)
    assert found == [("03-28", Decimal(1)), ("03-29", Decimal(23)), ("03-30", Decimal(1))]


def test_the_day_on_which_clocks_go_back_has_25_hours_and_two_entries() -> None:
    found = lines("Europe/Berlin", "2026-10-24T23:00", 27)
    assert found == [("10-24", Decimal(1)), ("10-25", Decimal(24)), ("10-25", Decimal(1)), ("10-26", Decimal(1))]


def test_where_clocks_skip_midnight_the_day_begins_with_the_skip() -> None:
    # On 4 November 2018 it was 0:00 nowhere in São Paulo: 23:59:59 was followed by 1:00.
    assert lines("America/Sao_Paulo", "2018-11-03T23:00", 2) == [("11-03", Decimal(1)), ("11-04", Decimal(1))]


def test_a_day_that_a_country_left_out_has_no_line() -> None:
    # Samoa had no 30 December 2011.
    assert [day for day, _ in lines("Pacific/Apia", "2011-12-29T23:00", 2)] == ["12-29", "12-31"]


def test_a_run_of_no_length_is_a_line_of_no_hours() -> None:
    assert lines("UTC", "2026-11-20T09:00", 0) == [("11-20", Decimal(0))]


def test_a_moment_is_never_nothing() -> None:
    assert lines_for(work_days(ended(datetime(2026, 11, 20, tzinfo=timezone.utc), 1), None), EXACT) == [
        Line(date(2026, 11, 20), Decimal("0.000001"), 1)
    ]


def test_an_instant_before_midnight_is_no_line_of_its_own() -> None:
    began = datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=timezone.utc)
    assert lines_for(work_days(ended(began, HOUR), None), EXACT) == [Line(date(2026, 11, 21), Decimal(1), HOUR - 1000)]


@pytest.mark.parametrize(
    ("text", "least", "minutes", "hours"),
    [
        ("none", 0, "7.5", "0.125"),
        ("up_15", 0, "0.1", "0.25"),
        ("up_15", 0, "15", "0.25"),
        ("up_15", 0, "15.001", "0.5"),
        ("up_15", 0, "0", "0"),
        ("up_6", 0, "7", "0.2"),
        ("up_1", 0, "0.5", "0.016667"),
        ("nearest_6", 0, "2.9", "0"),
        ("nearest_6", 0, "3", "0.1"),
        ("nearest_30", 0, "44.9", "0.5"),
        ("none", 6, "1", "0.1"),
        ("nearest_6", 6, "2.9", "0.1"),
        ("up_15", 6, "16", "0.5"),
        ("none", Decimal("1.5"), "0", "0.025"),
    ],
)
def test_rounding(text: str, least: "int | Decimal", minutes: str, hours: str) -> None:
    assert Rounding.parse(text, least).hours(int(Decimal(minutes) * 60 * 10**9)) == Decimal(hours)


@pytest.mark.parametrize("text", ["", "up", "up_7", "down_15", "nearest_", "up_x", "up_60"])
def test_a_rounding_that_nobody_offers_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the policy says which are known
        Rounding.parse(text)


def test_rounding_is_of_the_whole_and_adds_to_the_last_day() -> None:
    up = Rounding.parse("up_30")
    assert lines("UTC", "2026-11-20T23:50", "0.5", up) == [
        ("11-20", Decimal("0.166667")),
        ("11-21", Decimal("0.333333")),
    ]
    assert lines("UTC", "2026-11-20T23:50", "0.6", up) == [
        ("11-20", Decimal("0.166667")),
        ("11-21", Decimal("0.833333")),
    ]


def test_rounding_takes_from_the_last_day_backwards() -> None:
    nearest = Rounding.parse("nearest_30")
    assert lines("UTC", "2026-11-20T23:20", "0.7", nearest) == [("11-20", Decimal("0.5"))]


def test_rounding_beyond_24_hours_is_a_further_entry() -> None:
    assert lines("UTC", "2026-11-20T00:00", "23.999", Rounding("none", 1, 24 * 60)) == [("11-20", Decimal(24))]
    assert lines("Europe/Berlin", "2026-10-25T00:00", "24.9", Rounding.parse("up_30")) == [
        ("10-25", Decimal(24)),
        ("10-25", Decimal(1)),
    ]


moments = st.integers(1_262_304_000_000, 2_051_222_400_000).map(
    lambda ms: datetime.fromtimestamp(0, timezone.utc) + timedelta(milliseconds=ms)
)
durations = st.one_of(st.integers(0, 10**10), st.integers(0, 100 * HOUR))


@given(began=moments, nanoseconds=durations, zone=st.sampled_from(ZONES))
def test_the_hours_of_a_run_sum_to_its_duration(began: datetime, nanoseconds: int, zone: str) -> None:
    days = work_days(ended(began, nanoseconds), ZoneInfo(zone))
    found = lines_for(days, EXACT)
    assert sum(line.hours for line in found) == to_hours(nanoseconds)
    assert sum(line.nanoseconds for line in found) == nanoseconds or len(found) < len(days)
    assert all(0 <= line.hours <= 24 for line in found)
    assert [line.day for line in found] == sorted(line.day for line in found)


@given(began=moments, nanoseconds=durations, zone=st.sampled_from(ZONES))
def test_each_part_lies_on_its_local_day(began: datetime, nanoseconds: int, zone: str) -> None:
    local, at = ZoneInfo(zone), began
    days = work_days(ended(began, nanoseconds), local)
    assert sum(day.nanoseconds for day in days) == nanoseconds
    for day in days:
        length = timedelta(microseconds=day.nanoseconds // 1000)
        assert at.astimezone(local).date() == day.day
        middle = (at + length / 2).astimezone(local).date()
        assert middle == day.day or zone == "America/St_Johns"  # until 2011 its clocks went back from 0:01 to 23:01
        at += length


@given(
    began=moments,
    nanoseconds=durations,
    zone=st.sampled_from(ZONES),
    mode=st.sampled_from(["up", "nearest"]),
    minutes=st.sampled_from([1, 5, 6, 10, 15, 30]),
    least=st.sampled_from([0, 6, 600]),
)
def test_rounded_hours_sum_to_the_rounded_duration(
    began: datetime, nanoseconds: int, zone: str, mode: str, minutes: int, least: int
) -> None:
    rounding = Rounding(mode, minutes, least)
    found = lines_for(work_days(ended(began, nanoseconds), ZoneInfo(zone)), rounding)
    assert sum(line.hours for line in found) == rounding.hours(nanoseconds)
    assert all(0 <= line.hours <= 24 for line in found)


def test_what_is_billed_elsewhere_is_missing_on_its_own_day(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]
    monkeypatch.setattr("keito.metering.stopwatch.time", SimpleNamespace(perf_counter_ns=lambda: now[0]))
    run = AgentRun(started_at=datetime(2026, 11, 20, 22, tzinfo=timezone.utc))
    now[0] += HOUR // 2
    with run.child(project_id="p"):
        now[0] += 2 * HOUR
    now[0] += HOUR // 2
    run.end()
    assert [(day.day.day, Decimal(day.nanoseconds) / HOUR) for day in work_days(run, None)] == [
        (20, Decimal("0.5")),
        (21, Decimal("0.5")),
    ]
