"""The times of spans: those that programs set, and those of clocks that are wrong."""

from __future__ import annotations

import time
from typing import Any, Optional

import pytest

pytest.importorskip("opentelemetry.sdk")
pytest.importorskip("genai_prices")

from opentelemetry.trace import set_span_in_context

from .conftest import AGENT, CHAT, Bill, Tracing, usage

HOUR = 3600 * 10**9
DAY = 24 * HOUR


def agent(tracing: Tracing, start: int, end: Optional[int]) -> Bill:
    """What is billed for an agent whose spans, ended at once, have these times."""
    tracer = tracing.tracer()
    root: Any = tracer.start_span("agent", attributes=AGENT, start_time=start)
    call = tracer.start_span("chat", set_span_in_context(root), attributes=CHAT | usage(), start_time=start)
    call.end(end)
    root.end(end)
    return tracing.bill()


@pytest.mark.parametrize("hours", [0, 2, 23])
def test_a_span_that_is_replayed_is_billed_for_the_time_that_it_tells(tracing: Tracing, hours: int) -> None:
    start = time.time_ns() - 40 * DAY
    found = agent(tracing, start, start + hours * HOUR)
    assert sum(entry.hours or 0 for entry in found.time) == hours
    assert all("clock_doubted" not in str(entry.metadata) for entry in found.time)


NOW = time.time_ns()


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(NOW - 30 * DAY, None, id="a clock that was 30 days slow"),
        pytest.param(1, None, id="a clock that began in 1970"),
        pytest.param(NOW - HOUR, NOW - 2 * HOUR, id="an end before the start"),
        pytest.param(NOW + 400 * DAY, None, id="a start in the future"),
        pytest.param(NOW - HOUR, 10**20, id="an end in another millennium"),
        pytest.param(10**23, 10**23 + 10**9, id="times of no calendar"),
        pytest.param(-(10**19), -(10**19) + 10**9, id="times before all calendars"),
        pytest.param(NOW - 19 * DAY, NOW - 5 * DAY, id="weeks that nobody saw"),
    ],
)
def test_times_that_cannot_be_true_are_not_billed(tracing: Tracing, start: int, end: Optional[int]) -> None:
    found = agent(tracing, start, end)
    assert (sum(entry.hours or 0 for entry in found.time) < 0.1, len(found.time)) == (True, 1)
    assert "clock_doubted" in found.facts["flags"]
    assert found.tokens == [(1000, 100)]
