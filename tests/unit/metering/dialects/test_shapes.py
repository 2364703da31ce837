"""Whatever an answer is: its parts sum to its totals, or it is flagged, and nothing is raised."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito.metering import NoUsage, Usage
from keito.metering.dialects import Report, report_of, usage_of
from keito.metering.dialects.reading import raw_text

NAMES = [
    *["usage", "usage_metadata", "usageMetadata", "metadata", "response", "type", "object", "id", "model", "cost"],
    *["prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "reasoning_tokens"],
    *["prompt_tokens_details", "completion_tokens_details", "input_tokens_details", "output_tokens_details"],
    *["cached_tokens", "audio_tokens", "image_tokens", "video_tokens", "cache_write_tokens", "thinking_tokens"],
    *["cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation", "ephemeral_5m_input_tokens"],
    *["cached_prompt_tokens", "cache_creation_tokens", "prompt_token_count", "candidates_token_count"],
    *["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount", "promptTokensDetails"],
    *["modality", "tokenCount", "inputTokens", "outputTokens", "totalTokens", "cacheReadInputTokens", "cacheDetails"],
    *["ttl", "input_token_details", "output_token_details", "cache_read", "reasoning", "flex", "flex_cache_read"],
    *["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.cache_read.input_tokens"],
    *["cost_in_usd_ticks", "is_byok", "server_tool_use", "iterations", "service_tier", "response_metadata"],
]
names = st.sampled_from(NAMES) | st.text(max_size=5)
numbers = st.integers(-5, 200) | st.integers() | st.floats()
leaves = st.none() | st.booleans() | numbers | st.text(max_size=8) | st.sampled_from(["AUDIO", "5m", "message"])
answers = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6))


def exclusive(usage: Usage) -> "tuple[list[int], list[int]]":
    """Parts of the input, and of the output, of which no token is in two."""
    plain = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
    unspecified = usage.cache_write_tokens - usage.cache_write_5m_tokens - usage.cache_write_1h_tokens
    writes = [unspecified, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens]
    return (
        [plain, usage.cache_read_tokens, *writes],
        [usage.output_tokens - usage.reasoning_tokens, usage.reasoning_tokens],
    )


def check(answer: Any, provider: Any = None) -> None:
    found = report_of(answer, provider)
    assert (found.usage is None) is (found.no_usage is NoUsage.NOT_REPORTED)
    if found.usage is None:
        return
    assert (found.usage.problem is None) is (found.usage.raw is None)
    if found.usage.problem is None:
        inputs, outputs = exclusive(found.usage)
        assert min(*inputs, *outputs) >= 0
        assert (sum(inputs), sum(outputs)) == (found.usage.input_tokens, found.usage.output_tokens)


@given(answers, st.none() | st.sampled_from(["openai", "openrouter", "anthropic"]))
def test_any_answer_has_buckets_that_sum_or_a_flag(answer: Any, provider: Any) -> None:
    check(answer, provider)


counts = st.integers(0, 50)
usages = st.dictionaries(st.sampled_from(NAMES), counts | st.dictionaries(names, counts), max_size=8)


@given(usages, st.sampled_from(["usage", "usageMetadata", "usage_metadata"]))
def test_any_usage_has_buckets_that_sum_or_a_flag(usage: Any, name: str) -> None:
    check(usage)
    check({name: usage})


@given(answers)
def test_what_is_kept_raw_is_short(answer: Any) -> None:
    assert len(raw_text(answer)) <= 400


@pytest.mark.parametrize("answer", [None, 7, "text", b"bytes", [], {}, object(), int, {"usage": "many"}, {1: 2}])
def test_what_is_not_recognised_reports_nothing(answer: Any) -> None:
    assert report_of(answer) == Report()
    assert usage_of(answer) is None


def test_a_property_that_raises_is_a_missing_one() -> None:
    class Answer:
        usage = SimpleNamespace(prompt_tokens=3, completion_tokens=1)

        @property
        def model(self) -> str:
            raise RuntimeError("not here")

    assert report_of(Answer()) == Report(usage=Usage(3, 1))


def test_markers_of_client_libraries_for_what_was_not_sent_are_missing() -> None:
    class Unset:
        def __bool__(self) -> bool:
            return False

    assert usage_of({"usage": {"prompt_tokens": 3, "completion_tokens": Unset()}}) == Usage(3)


def test_an_object_whose_truth_is_unknown_is_no_count() -> None:
    class Array:
        def __bool__(self) -> bool:
            raise ValueError("ambiguous")

    found = usage_of({"usage": {"prompt_tokens": 3, "completion_tokens": Array()}})
    assert found is not None
    assert found.problem == "token counts do not add up"
