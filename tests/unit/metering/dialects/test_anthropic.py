"""Messages in the shapes that Anthropic documents."""

from typing import Any, Optional

import pytest

from keito.metering import Usage
from keito.metering.dialects import Report, report_of, usage_of
from keito.metering.dialects.anthropic import about, merged


def message(**usage: Any) -> "dict[str, Any]":
    return {
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": "Hi!"}],
        "stop_reason": "end_turn",
        "usage": usage,
    }


def test_the_cache_is_beside_the_input() -> None:
    answer = message(
        input_tokens=21,
        cache_creation_input_tokens=588,
        cache_read_input_tokens=1886,
        cache_creation={"ephemeral_5m_input_tokens": 488, "ephemeral_1h_input_tokens": 100},
        output_tokens=393,
        service_tier="standard",
        server_tool_use=None,
        inference_geo="not_available",
    )
    assert report_of(answer) == Report(
        usage=Usage(
            21 + 588 + 1886,
            393,
            cache_read_tokens=1886,
            cache_write_tokens=588,
            cache_write_5m_tokens=488,
            cache_write_1h_tokens=100,
        ),
        model="claude-sonnet-4-5-20250929",
        tier="standard",
        response_id="msg_013Zva2CMHLNnXjNJJKqJ2EF",
    )


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 5, "output_tokens": 3}, Usage(5, 3)),
        (
            {
                "input_tokens": 5,
                "output_tokens": 3,
                "cache_read_input_tokens": None,
                "cache_creation_input_tokens": 0,
                "cache_creation": None,
            },
            Usage(5, 3),
        ),
        (
            {"input_tokens": 5, "output_tokens": 3, "cache_creation_input_tokens": 9},
            Usage(14, 3, cache_write_tokens=9),
        ),
        (
            {"input_tokens": 5, "output_tokens": 3, "cache_creation": {"ephemeral_1h_input_tokens": 9}},
            Usage(14, 3, cache_write_tokens=9, cache_write_1h_tokens=9),
        ),
        (
            {"input_tokens": 5, "output_tokens": 30, "output_tokens_details": {"thinking_tokens": 20}},
            Usage(5, 30, reasoning_tokens=20),
        ),
        (
            {"input_tokens": 5, "output_tokens": 3, "server_tool_use": {"web_search_requests": 2}},
            Usage(5, 3, other_kinds=("web_search",)),
        ),
        (
            {"input_tokens": 5, "output_tokens": 3, "server_tool_use": {"web_fetch_requests": 2}},
            Usage(5, 3),  # costs nothing beside the tokens
        ),
        (
            {
                "input_tokens": 5,
                "output_tokens": 3,
                "iterations": [{"type": "message", "input_tokens": 5}, {"type": "compaction", "input_tokens": 900}],
            },
            Usage(5, 3, other_kinds=("compaction iteration",)),
        ),
    ],
)
def test_parts_that_may_be_there(usage: Any, expected: Usage) -> None:
    assert usage_of(message(**usage)) == expected


@pytest.mark.parametrize(
    ("about", "tier"),
    [
        ({"service_tier": "priority"}, "priority"),
        ({"service_tier": "batch"}, "batch"),
        ({"service_tier": "standard", "speed": "standard", "inference_geo": "global"}, "standard"),
        ({"service_tier": "standard", "speed": "fast"}, "fast"),
        ({"service_tier": "standard", "inference_geo": "us"}, "us"),  # costs a tenth more
        ({"service_tier": "priority", "speed": "fast"}, "priority+fast"),
        ({}, None),
    ],
)
def test_everything_that_changes_the_rates_is_in_the_tier(about: Any, tier: Optional[str]) -> None:
    assert report_of(message(input_tokens=5, output_tokens=3, **about)).tier == tier


@pytest.mark.parametrize(
    ("usage", "problem"),
    [
        ({"input_tokens": -5, "output_tokens": 3}, "negative token count"),
        ({"input_tokens": "5", "output_tokens": 3}, "token counts do not add up"),
        ({"input_tokens": 5, "output_tokens": 3, "cache_read_input_tokens": "9"}, "token counts do not add up"),
        (
            {
                "input_tokens": 5,
                "output_tokens": 3,
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_5m_input_tokens": 10},
            },
            "token counts do not add up",
        ),
        ({"input_tokens": 5, "output_tokens": None}, "token counts do not add up"),
        (
            {
                "input_tokens": 5,
                "output_tokens": 3,
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 4},
            },
            "token counts do not add up",
        ),
        (
            {
                "input_tokens": 5,
                "output_tokens": 3,
                "cache_creation_input_tokens": 0,
                "cache_creation": {"ephemeral_5m_input_tokens": 9},
            },
            "token counts do not add up",
        ),
        (
            {"input_tokens": 5, "output_tokens": 3, "output_tokens_details": {"thinking_tokens": 4}},
            "token counts do not add up",
        ),
    ],
)
def test_what_cannot_be_true_is_flagged(usage: Any, problem: str) -> None:
    found = usage_of(message(**usage))
    assert found is not None
    assert (found.problem, found.raw is not None) == (problem, True)


def test_a_stream_starts_with_the_input_and_ends_with_running_totals() -> None:
    start = message(
        input_tokens=25,
        cache_read_input_tokens=100,
        cache_creation_input_tokens=50,
        cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 50},
        output_tokens=1,
        service_tier="priority",
    )
    delta = {"output_tokens": 15, "input_tokens": None, "cache_read_input_tokens": 100}
    found = about(start, merged(start["usage"], delta))
    assert found.usage == Usage(175, 15, cache_read_tokens=100, cache_write_tokens=50, cache_write_1h_tokens=50)
    assert (found.tier, found.response_id) == ("priority", "msg_013Zva2CMHLNnXjNJJKqJ2EF")
