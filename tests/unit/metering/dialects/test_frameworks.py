"""What LangChain, CrewAI and OpenTelemetry report, which have their details inside their sums."""

from types import SimpleNamespace
from typing import Any

import pytest

from keito.metering import Usage
from keito.metering.dialects import Report, report_of, usage_of


def test_a_langchain_message() -> None:
    message = SimpleNamespace(
        id="lc_run--019a",
        usage_metadata={
            "input_tokens": 350,
            "output_tokens": 240,
            "total_tokens": 590,
            "input_token_details": {"audio": 10, "cache_creation": 200, "cache_read": 100},
            "output_token_details": {"audio": 10, "reasoning": 200},
        },
        response_metadata={"id": "chatcmpl-1", "model_name": "gpt-5-mini-2025-08-07", "model_provider": "openai"},
    )
    assert report_of(message) == Report(
        usage=Usage(
            350,
            240,
            cache_read_tokens=100,
            cache_write_tokens=200,
            reasoning_tokens=200,
            input_audio_tokens=10,
            output_audio_tokens=10,
        ),
        model="gpt-5-mini-2025-08-07",
        response_id="chatcmpl-1",
        provider="openai",
    )


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {
                "input_tokens": 100,
                "output_tokens": 20,
                "total_tokens": 120,
                "input_token_details": {"flex_cache_read": 40, "flex": 60},
                "output_token_details": {"flex_reasoning": 5, "flex": 15},
            },
            Usage(100, 20, cache_read_tokens=40, reasoning_tokens=5),
        ),
        # langchain-xai: the provider counts reasoning beside the rest.
        (
            {"input_tokens": 10, "output_tokens": 2, "total_tokens": 20, "output_token_details": {"reasoning": 8}},
            Usage(10, 10, reasoning_tokens=8),
        ),
        ({"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}, Usage(10, 2)),
    ],
)
def test_langchain_usage_metadata_by_itself(usage: Any, expected: Usage) -> None:
    assert usage_of(usage) == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        # OpenAI and Azure
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 30,
                "total_tokens": 130,
                "cached_prompt_tokens": 40,
                "reasoning_tokens": 10,
            },
            Usage(100, 30, cache_read_tokens=40, reasoning_tokens=10),
        ),
        # Anthropic: CrewAI has added the cache to the input already
        (
            {
                "input_tokens": 100,
                "output_tokens": 30,
                "total_tokens": 130,
                "cached_prompt_tokens": 40,
                "cache_creation_tokens": 20,
            },
            Usage(100, 30, cache_read_tokens=40, cache_write_tokens=20),
        ),
        # Gemini
        (
            {
                "prompt_token_count": 100,
                "candidates_token_count": 20,
                "completion_tokens": 30,
                "total_token_count": 130,
                "total_tokens": 130,
                "cached_prompt_tokens": 0,
                "reasoning_tokens": 10,
            },
            Usage(100, 30, reasoning_tokens=10),
        ),
        # Bedrock hands on its own
        (
            {"inputTokens": 10, "outputTokens": 5, "totalTokens": 55, "cacheReadInputTokens": 40},
            Usage(50, 5, cache_read_tokens=40),
        ),
        # LiteLLM does, too
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}},
            Usage(10, 5, cache_read_tokens=4),
        ),
        ({"total_tokens": 0}, None),
        (None, None),
    ],
)
def test_crewai_events(usage: Any, expected: Any) -> None:
    assert usage_of(usage) == expected
    event = SimpleNamespace(usage=usage, response_id="resp_1", model="openai/gpt-5-mini", type="llm_call_completed")
    assert usage_of(event) == expected


def test_the_id_of_a_crewai_events_answer() -> None:
    event = SimpleNamespace(usage={"input_tokens": 1, "cached_prompt_tokens": 0}, response_id="resp_1")
    assert report_of(event).response_id == "resp_1"


def test_attributes_of_a_span() -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "claude",
        "gen_ai.response.model": "claude-sonnet-4-5-20250929",
        "gen_ai.response.id": "msg_1",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 25,
        "gen_ai.usage.cache_creation.input_tokens": 15,
        "gen_ai.usage.reasoning.output_tokens": 10,
        "server.port": 443,
    }
    assert report_of(attributes) == Report(
        usage=Usage(100, 50, cache_read_tokens=25, cache_write_tokens=15, reasoning_tokens=10),
        model="claude-sonnet-4-5-20250929",
        response_id="msg_1",
        provider="aws.bedrock",
        requested_model="claude",
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 3}, Usage(9, 3)),
        ({"input_tokens": 9, "prompt_tokens": 9, "output_tokens": 3}, Usage(9, 3)),
        ({"input_tokens": 9, "output_tokens": 3, "reasoning_tokens": 2}, Usage(9, 3, reasoning_tokens=2)),
        ({"input_tokens": 9, "cache_read_input_tokens": 4}, Usage(9, cache_read_tokens=4)),
        ({"input_tokens": 9, "cache_write_input_tokens": 4}, Usage(9, cache_write_tokens=4)),
    ],
)
def test_older_names_of_attributes(names: Any, expected: Usage) -> None:
    assert usage_of({f"gen_ai.usage.{name}": count for name, count in names.items()}) == expected


def test_embeddings_in_a_span() -> None:
    found = report_of(
        {"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 4, "gen_ai.system": "openai"}
    )
    assert (found.usage, found.operation, found.provider) == (Usage(4), "embeddings", "openai")


def test_a_cache_larger_than_the_input_is_flagged() -> None:
    found = usage_of({"gen_ai.usage.input_tokens": 4, "gen_ai.usage.cache_read.input_tokens": 40})
    assert found is not None
    assert found.problem == "token counts do not add up"
