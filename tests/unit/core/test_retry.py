"""The timing of retries."""

import math
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Optional

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keito.core.retry import backoff, retry_after


@given(st.integers(min_value=1, max_value=100_000))
def test_backoff_lies_between_its_bounds(attempt: int) -> None:
    base = min(0.5 * 2 ** min(attempt - 1, 10), 8)
    assert base <= backoff(attempt) <= base * 1.25


@given(st.integers(min_value=1, max_value=3))
def test_backoff_grows_until_its_limit(attempt: int) -> None:
    assert backoff(attempt) < backoff(attempt + 1)


def test_backoff_is_jittered() -> None:
    assert len({backoff(1) for _ in range(50)}) > 10


header_text = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60)


@given(header_text, st.one_of(st.none(), header_text))
@example("Mon, 01 Jan 0001 00:00:00 +2359", None)
@example("Fri, 31 Dec 9999 23:59:59 -2359", None)
@example("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 +2300")
@example("Mon, 01 Jan 2026 00:00:00 +9999", None)
@example("9" * 5000, None)
@example("0x10", None)
@example("1_000", None)
def test_no_header_raises_or_yields_nonsense(text: str, date: Optional[str]) -> None:
    headers = {"Retry-After": text} if date is None else {"Retry-After": text, "Date": date}
    seconds = retry_after(httpx.Headers({name: value.encode() for name, value in headers.items()}))  # type: ignore[arg-type]
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


@given(st.one_of(st.integers(0, 10**12), st.floats(0, 1e12)))
def test_seconds(number: float) -> None:
    assert retry_after(httpx.Headers({"Retry-After": str(number)})) == float(number)


@given(st.floats().filter(lambda number: not number >= 0 or math.isinf(number)))
def test_no_seconds(number: float) -> None:
    assert retry_after(httpx.Headers({"Retry-After": str(number)})) is None


@given(st.integers(0, 10**8), st.integers(0, 4 * 10**9))
def test_dates_are_relative_to_the_server(seconds: int, timestamp: int) -> None:
    now = datetime.fromtimestamp(timestamp, timezone.utc)
    headers = {
        "Retry-After": format_datetime(now + timedelta(seconds=seconds), usegmt=True),
        "Date": format_datetime(now, usegmt=True),
    }
    assert retry_after(httpx.Headers(headers)) == seconds


@pytest.mark.parametrize("headers", [{}, {"Retry-After": ""}, {"Retry-After": "1, 2"}])
def test_nothing_to_read(headers: "dict[str, str]") -> None:
    assert retry_after(httpx.Headers(headers)) is None
