from typing import Optional

import pytest

from keito.pricing.names import is_fine_tuned, normalise


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        (None, "gpt-5-mini", (None, "gpt-5-mini")),
        ("OpenAI", " gpt-5-mini ", ("openai", "gpt-5-mini")),
        (None, "azure/gpt-4o", ("azure", "gpt-4o")),
        ("litellm", "anthropic/claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("openai", "groq/llama-3.3-70b-versatile", ("groq", "llama-3.3-70b-versatile")),
        ("groq", "groq/llama-3.3-70b-versatile", ("groq", "llama-3.3-70b-versatile")),
        ("groq", "openai/gpt-oss-120b", ("groq", "openai/gpt-oss-120b")),
        ("openrouter", "anthropic/claude-sonnet-4.5", ("openrouter", "anthropic/claude-sonnet-4.5")),
        (None, "openrouter/openai/gpt-5", ("openrouter", "openai/gpt-5")),
        ("google_genai", "models/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("vertex_ai", "publishers/google/models/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("azure_ai", "gpt-4o", ("azure", "gpt-4o")),
        ("xai", "grok-4", ("x-ai", "grok-4")),
        ("anthropic_llm", "claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("azure_openai_llm", "gpt-4o", ("azure", "gpt-4o")),
        ("together", "meta-llama/Llama-3.3-70B", ("together", "meta-llama/llama-3.3-70b")),
    ],
)
def test_names_are_brought_to_the_tables_form(
    provider: Optional[str], model: str, expected: "tuple[Optional[str], str]"
) -> None:
    name = normalise(provider, model)
    assert (name.provider, name.model) == expected


@pytest.mark.parametrize(
    ("model", "tuned"),
    [
        ("ft:gpt-4o-mini-2024-07-18:acme::abc", True),
        ("openai/ft:gpt-4o-mini", True),
        ("gpt-4o-mini-2024-07-18.ft-0123", True),
        ("curie:ft-acme-2023", True),
        ("arn:aws:bedrock:us-east-1:1:custom-model/amazon.titan/x", True),
        ("gpt-4o-mini", False),
        ("claude-sonnet-4-5-20250929", False),
        ("draft-1", False),
    ],
)
def test_fine_tuned_models_are_known_by_their_names(model: str, tuned: bool) -> None:
    assert is_fine_tuned(model) is tuned
