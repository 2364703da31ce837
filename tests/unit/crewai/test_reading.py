import sys
from types import SimpleNamespace

import pytest

if sys.version_info < (3, 10):
    pytest.skip("CrewAI needs Python 3.10", allow_module_level=True)

from keito_crewai.reading import as_today, provider_of, why

from keito.metering import NoUsage, Usage, usage_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("OpenAI API call failed: Error code: 500 - {'error': {}}", NoUsage.FAILED),
        ("OpenAI API call failed: Error code: 429 - {'error': {}}", NoUsage.FAILED),
        ("Failed to connect to OpenAI API: Connection error.", NoUsage.FAILED),
        ("Model gpt-9 not found: Error code: 404", NoUsage.FAILED),
        ("LLM call denied by keito: the budget is used up", NoUsage.FAILED),
        ("OpenAI API call failed: Request timed out.", NoUsage.ABORTED),
        ("OpenAI API call failed: 1 validation error for Report", NoUsage.NOT_REPORTED),
        ("OpenAI API call failed: Could not parse response content", NoUsage.NOT_REPORTED),
        ("OpenAI API call failed: 1 validation error, input_value='Error code: 500'", NoUsage.NOT_REPORTED),
        ("something that nobody knows", NoUsage.NOT_REPORTED),
    ],
)
def test_a_failure_is_free_only_where_it_is_known_that_there_was_no_answer(error: str, reason: NoUsage) -> None:
    assert why(error) is reason


@pytest.mark.parametrize(
    ("provider", "base_url", "expected"),
    [
        ("openai", None, "openai"),
        ("openai", "https://openrouter.ai/api/v1", "openrouter"),
        ("openai", "https://proxy.example/v1", "openai"),
        ("anthropic", None, "anthropic"),
        ("gemini", "https://api.x.ai/v1", "gemini"),
        (None, None, None),
    ],
)
def test_the_provider_is_who_answers(provider: object, base_url: object, expected: object) -> None:
    assert provider_of(SimpleNamespace(provider=provider, base_url=base_url)) == expected


@pytest.mark.parametrize(
    ("provider", "usage", "expected"),
    [
        (
            "anthropic",
            {"input_tokens": 84, "output_tokens": 30, "total_tokens": 114, "cached_prompt_tokens": 16},
            Usage(100, 30, cache_read_tokens=16),
        ),
        (
            "anthropic",
            {
                "input_tokens": 100,
                "output_tokens": 30,
                "total_tokens": 130,
                "cached_prompt_tokens": 16,
                "cache_creation_tokens": 0,
            },
            Usage(100, 30, cache_read_tokens=16),
        ),
        (
            "gemini",
            {
                "prompt_token_count": 100,
                "candidates_token_count": 20,
                "total_token_count": 130,
                "total_tokens": 130,
                "cached_prompt_tokens": 40,
            },
            Usage(100, 30, cache_read_tokens=40),
        ),
        (
            "openai",
            {"prompt_tokens": 100, "completion_tokens": 30, "total_tokens": 130, "cached_prompt_tokens": 40},
            Usage(100, 30, cache_read_tokens=40),
        ),
        ("openai", None, None),
        ("openai", {"total_tokens": 0}, None),
    ],
)
def test_usage_of_older_and_newer_versions(provider: str, usage: object, expected: object) -> None:
    assert usage_of(as_today(usage, provider)) == expected
