"""Dates, numbers, times and metadata as callers pass them in."""

import json
import math
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keito.types.given import (
    METADATA_LIMIT,
    NOT_GIVEN,
    NotGiven,
    encode,
    parse_clock,
    parse_day,
    parse_instant,
    parse_metadata,
    parse_number,
    parse_report_day,
)

utf8 = st.text(st.characters(codec="utf-8"))
plain = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False), utf8
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(utf8, inner, max_size=4)),
    max_leaves=10,
)


def test_not_given() -> None:
    assert repr(NOT_GIVEN) == "NOT_GIVEN"
    assert NOT_GIVEN is NotGiven.NOT_GIVEN


@given(st.dates())
def test_days(day: date) -> None:
    assert parse_day(day) == parse_day(day.isoformat()) == day
    assert parse_report_day(day) == parse_report_day(day.strftime("%Y%m%d").zfill(8)) == day
    assert parse_report_day(day.isoformat()) == day


@given(st.one_of(st.text(), st.integers(), st.datetimes(), st.none(), st.binary()))
@example("2026-02-30")
@example("2026-W10-4")
@example("20260305")
@example("\uff12\uff10\uff12\uff16-03-05")
@example("2026-03-05 ")
def test_what_is_no_day(value: Any) -> None:
    with pytest.raises(ValueError, match=r"must be|out of range|day|month|year|format"):
        parse_day(value)


@given(st.datetimes(timezones=st.timezones()))
def test_instants_are_sent_in_utc(moment: datetime) -> None:
    try:
        expected = moment.astimezone(timezone.utc)
    except OverflowError:
        with pytest.raises(ValueError, match="range"):
            parse_instant(moment)
        return
    text = parse_instant(moment)
    assert text.endswith("Z")
    assert datetime.fromisoformat(text[:-1] + "+00:00") == expected


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("2026-03-05T10:30:00Z", "2026-03-05T10:30:00Z"),
        ("2026-03-05T10:30:00z", "2026-03-05T10:30:00Z"),
        ("2026-03-05T10:30:00+02:00", "2026-03-05T08:30:00Z"),
        ("2026-03-05T10:30:00.250000-05:30", "2026-03-05T16:00:00.250000Z"),
    ],
)
def test_instants_as_text(text: str, sent: str) -> None:
    assert parse_instant(text) == sent


@pytest.mark.parametrize("value", ["2026-03-05T10:30:00", "soon", "", 5, None, date(2026, 3, 5), datetime(2026, 3, 5)])  # noqa: DTZ001
def test_what_is_no_instant(value: Any) -> None:
    with pytest.raises(ValueError, match=r"must|format|Invalid"):
        parse_instant(value)


@given(st.times())
def test_clocks(moment: time) -> None:
    assert parse_clock(moment) == f"{moment.hour:02}:{moment.minute:02}"
    assert parse_clock(parse_clock(moment)) == parse_clock(moment)


@pytest.mark.parametrize("value", ["9:30", "24:00", "12:60", "09:30:00", " 09:30", "09:30\n", 930, None, "٠٩:٣٠"])
def test_what_is_no_clock(value: Any) -> None:
    with pytest.raises(ValueError, match="HH:mm"):
        parse_clock(value)


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.decimals(-(10**300), 10**300)))
def test_numbers_stay_as_they_are(number: Any) -> None:
    assert parse_number(number) is number


@pytest.mark.parametrize(
    "value",
    [True, "1", None, math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), 10**400, 1j],
)
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_number(value)


@given(st.dictionaries(utf8, plain, max_size=5))
def test_metadata_is_measured_as_it_is_sent(metadata: "dict[str, Any]") -> None:
    size = len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode())
    if size > METADATA_LIMIT:
        with pytest.raises(ValueError, match="4,096"):
            parse_metadata(metadata)
    else:
        assert parse_metadata(metadata) == metadata
        assert json.loads(encode(metadata)) == metadata


@given(
    st.integers(0, 40), st.sampled_from(["x", "é", "€", "😀", '"', "\\", "\n", "\x01", "\u2028"]), st.integers(-2, 2)
)
def test_the_limit_to_the_byte(length: int, letter: str, beyond: int) -> None:
    start = {"a": letter * length, "b": ""}
    fill = METADATA_LIMIT - len(encode(start)) + beyond
    metadata = {**start, "b": "x" * fill}
    assert len(encode(metadata)) == METADATA_LIMIT + beyond
    if beyond > 0:
        with pytest.raises(ValueError, match=r"4,09[78] bytes as JSON; at most 4,096"):
            parse_metadata(metadata)
    else:
        assert parse_metadata(metadata) == metadata


@given(st.decimals(allow_nan=False, allow_infinity=False).filter(lambda number: math.isfinite(float(number))))
@example(Decimal("1E+300"))
@example(Decimal("-0"))
@example(Decimal("0.10"))
def test_decimals_arrive_as_the_nearest_double(number: Decimal) -> None:
    assert float(json.loads(encode({"a": number}))["a"]) == float(number)


@pytest.mark.parametrize(
    "value",
    [
        {1},
        b"x",
        object(),
        math.nan,
        Decimal("sNaN"),
        Decimal("1e999999999"),
        timedelta(1),
        {(1,): 2},
        "\ud800",
        10**5000,
        lambda: 1,
        [[[{"a": {2}}]]],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_json(value: Any) -> None:
    if isinstance(value, int) and not hasattr(__import__("sys"), "get_int_max_str_digits"):
        pytest.skip("this Python writes ints of any length")
    with pytest.raises(ValueError, match="is not JSON"):
        parse_metadata({"a": value})


@pytest.mark.parametrize("value", [[], "{}", 5, [("a", 1)], None, {1}])
def test_metadata_is_an_object(value: Any) -> None:
    with pytest.raises(ValueError, match="object"):
        parse_metadata(value)


def test_a_deep_or_endless_structure() -> None:
    endless: dict[str, Any] = {}
    endless["a"] = [endless]
    deep: Any = {}
    for _ in range(200_000):
        deep = {"a": deep}
    for value in (endless, deep):
        with pytest.raises(ValueError, match="is not JSON"):
            parse_metadata(value)
    while deep:  # taken apart by hand: older Pythons overflow their stack when they free it at once
        deep = deep.pop("a")
