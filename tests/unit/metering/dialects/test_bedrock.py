"""Answers of Converse in the shapes that Amazon documents."""

from types import SimpleNamespace
from typing import Any, Optional

import pytest

from keito.metering import Usage
from keito.metering.dialects import Report, report_of, usage_of


def test_the_cache_is_beside_the_input() -> None:
    answer = {
        "ResponseMetadata": {"RequestId": "8b3a5e0a-1f", "HTTPStatusCode": 200},
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": "end_turn",
        "usage": {
            "inputTokens": 9,
            "outputTokens": 65,
            "totalTokens": 1698,
            "cacheReadInputTokens": 1524,
            "cacheReadInputTokenCount": 1524,
            "cacheWriteInputTokens": 100,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 60}, {"ttl": "5m", "inputTokens": 40}],
        },
        "metrics": {"latencyMs": 1275},
        "serviceTier": {"type": "default"},
    }
    assert report_of(answer) == Report(
        usage=Usage(
            1633,
            65,
            cache_read_tokens=1524,
            cache_write_tokens=100,
            cache_write_5m_tokens=40,
            cache_write_1h_tokens=60,
        ),
        tier="default",
        response_id="8b3a5e0a-1f",
    )


def test_a_stream_ends_with_metadata() -> None:
    event = {
        "metadata": {
            "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15},
            "metrics": {"latencyMs": 9},
            "trace": {"promptRouter": {"invokedModelId": "amazon.nova-lite-v1:0"}},
        }
    }
    assert report_of(event) == Report(usage=Usage(10, 5), model="amazon.nova-lite-v1:0")


@pytest.mark.parametrize(
    ("about", "tier"),
    [
        ({"serviceTier": {"type": "flex"}}, "flex"),
        ({"performanceConfig": {"latency": "standard"}}, None),
        ({"performanceConfig": {"latency": "optimized"}}, "optimized"),
        ({"performanceConfig": {"latency": "optimized"}, "serviceTier": {"type": "default"}}, "optimized"),
    ],
)
def test_whatever_changes_the_rates_is_in_the_tier(about: Any, tier: Optional[str]) -> None:
    assert report_of({"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, **about}).tier == tier


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"inputTokens": 1, "outputTokens": 0, "cacheDetails": [{"ttl": "5m", "inputTokens": 4}]}, (5, 4, 4)),
        ({"inputTokens": 1, "outputTokens": 0, "cacheDetails": [{"ttl": "5m", "inputTokens": 4}] * 2}, (9, 8, 8)),
        ({"inputTokens": 1, "outputTokens": 0, "cacheWriteInputTokens": None, "cacheDetails": None}, (1, 0, 0)),
        ({"inputTokens": 1, "outputTokens": 0, "cacheWriteInputTokens": 4, "cacheDetails": []}, (5, 4, 0)),
    ],
)
def test_details_that_may_be_missing(usage: Any, expected: Any) -> None:
    found = usage_of({"usage": usage})
    assert found is not None
    assert (found.input_tokens, found.cache_write_tokens, found.cache_write_5m_tokens) == expected
    assert found.problem is None


@pytest.mark.parametrize(
    "usage",
    [
        {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokens": 8},
        {
            "inputTokens": 1,
            "outputTokens": 1,
            "cacheWriteInputTokens": 4,
            "cacheDetails": [{"ttl": "5m", "inputTokens": 5}],
        },
        {
            "inputTokens": 1,
            "outputTokens": 1,
            "cacheWriteInputTokens": 4,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 3}],
        },
        {"inputTokens": "10", "outputTokens": 1},
        {"inputTokens": 10, "outputTokens": 1, "cacheReadInputTokens": 8, "cacheReadInputTokenCount": 9},
        {"inputTokens": 10},
        {"inputTokens": 10, "outputTokens": None, "totalTokens": None},
    ],
)
def test_what_cannot_be_true_is_flagged(usage: Any) -> None:
    found = usage_of({"usage": usage})
    assert found is not None
    assert found.problem == "token counts do not add up"


def test_an_unknown_lifetime_is_a_kind_of_its_own() -> None:
    found = usage_of(
        {"usage": {"inputTokens": 1, "outputTokens": 0, "cacheDetails": [{"ttl": "1d", "inputTokens": 4}]}}
    )
    assert found == Usage(5, cache_write_tokens=4, other_kinds=("cache write 1d",))


def test_details_in_any_sequence_are_read() -> None:
    rows = (SimpleNamespace(ttl="1h", inputTokens=4),)
    usage = SimpleNamespace(inputTokens=1, outputTokens=2, totalTokens=7, cacheWriteInputTokens=4, cacheDetails=rows)
    assert usage_of(SimpleNamespace(usage=usage)) == Usage(5, 2, cache_write_tokens=4, cache_write_1h_tokens=4)


def test_metas_models_count_beside_their_text() -> None:
    answer = {"generation": "Hi", "prompt_token_count": 10, "generation_token_count": 20, "stop_reason": "stop"}
    assert usage_of(answer) == Usage(10, 20)


@pytest.mark.parametrize(
    "counts", [{"prompt_token_count": 10}, {"prompt_token_count": 10, "generation_token_count": None}]
)
def test_metas_output_is_unknown_where_it_is_not_told(counts: Any) -> None:
    found = usage_of({"generation": "Hi", **counts})
    assert found is not None
    assert found.problem == "token counts do not add up"
