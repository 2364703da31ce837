"""Real model ids, as providers, frameworks and gateways write them, with the expected price or refusal.

The amounts were worked out by hand from the price list, for 10,000 input tokens and 1,000 output tokens, on 20
November 2026 at noon: `gpt-5-mini` is 10,000 x $0.25 + 1,000 x $2.00 for a million each, hence $0.0045.
"""

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Optional

import pytest

from keito.metering import LLMCall, Usage
from keito.pricing import PricedCall, price

pytest.importorskip("genai_prices")

ARN = "arn:aws:bedrock:us-east-1:123456789012"
VERTEX = "projects/acme/locations/europe-west1"
IN_AREA = "no rate for area europe-west1"
NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)


def priced(
    provider: Optional[str], model: str, tier: Optional[str] = None, at: datetime = NOON, **usage: Any
) -> PricedCall:
    return price(LLMCall(at, at, provider=provider, served_model=model, tier=tier, usage=Usage(**usage)))


@pytest.mark.parametrize(
    ("provider", "model", "tier", "expected"),
    [
        ("openai", "gpt-5-mini", None, "0.0045"),
        ("openai", "gpt-4o-2024-08-06", None, "0.035"),
        ("openai", "gpt-4o-2024-05-13", None, "0.065"),
        ("openai", "gpt-4o-2025-01-07", None, "0.035"),
        ("openai", "gpt-4o-2027-01-07", None, "unknown model"),
        ("openai", "gpt-4o-2025-13-41", None, "unknown model"),
        ("azure", "gpt-4o-2024-11-20", None, "0.035"),
        ("azure_openai", "gpt-4.1-mini", None, "0.0056"),
        (None, "azure/gpt-4o", None, "0.035"),
        ("azure_ai", "gpt-5-mini", "flex", "tier without a rate"),
        ("azure", "o4-mini-deep-research", None, "unknown model"),
        ("openai", "o3", None, "0.028"),
        ("openai", "gpt-4.1", "batch", "0.014"),
        ("openai", "gpt-5-mini", "priority", "0.0081"),
        ("openai", "gpt-5-nano-2025-08-07", None, "0.0009"),
        ("openai", "gpt-9", None, "unknown model"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::x", None, "fine-tuned model"),
        ("openai", "gpt-4o-audio-preview", None, "0.035"),
        ("openai", "whisper-1", None, "no rate for input tokens"),
        ("openai", "dall-e-3", None, "unknown model"),
        ("openai", "chatgpt-4o-latest", None, "0.065"),
        ("anthropic", "claude-sonnet-4-5-20250929", None, "0.045"),
        ("anthropic", "claude-sonnet-4-5-99990101", None, "unknown model"),
        ("anthropic", "claude-opus-4-1-20250805", None, "0.225"),
        ("anthropic", "claude-3-7-sonnet-latest", None, "0.045"),
        ("claude", "claude-haiku-4-5", None, "0.015"),
        ("anthropic", "claude-sonnet-4-20250514", None, "0.045"),
        ("anthropic", "claude-3-5-haiku-20241022", None, "0.012"),
        ("anthropic", "claude-sonnet-4-5-turbo", None, "unknown model"),
        ("amazon_bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", None, "0.0495"),
        ("bedrock_converse", "eu.anthropic.claude-3-5-sonnet-20240620-v1:0", None, "0.045"),
        ("bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", None, "0.045"),
        ("aws.bedrock", "apac.anthropic.claude-sonnet-4-20250514-v1:0", None, "0.045"),
        ("anthropic_bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0", None, "0.0165"),
        (None, "bedrock/converse/us.amazon.nova-lite-v1:0", None, "0.00084"),
        ("amazon_bedrock", "eu.amazon.nova-lite-v1:0", None, "no rate for area eu"),
        ("amazon_bedrock", "amazon.nova-micro-v1:0", None, "0.00049"),
        (None, f"{ARN}:inference-profile/us.anthropic.claude-opus-4-1-20250805-v1:0", None, "0.225"),
        ("aws", "arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-pro-v1:0", None, "no rate for area eu"),
        ("aws", f"{ARN}:application-inference-profile/a1b2c3", None, "unknown model"),
        ("aws", f"{ARN}:custom-model/amazon.nova-lite-v1:0/abc", None, "fine-tuned model"),
        ("aws", "meta.llama3-3-70b-instruct-v1:0", None, "0.00792"),
        ("anthropic", "us.anthropic.claude-opus-4-5-20251101-v1:0", None, "0.0825"),
        ("google_vertexai", "claude-sonnet-4-5@20250929", None, "0.045"),
        ("vertex_ai", "publishers/anthropic/models/claude-opus-4@20250514", None, "0.225"),
        ("google_anthropic_vertex", "claude-haiku-4-5@20251001", None, "0.015"),
        ("vertex_ai", f"{VERTEX}/publishers/anthropic/models/claude-opus-4@20250514", None, "0.225"),
        ("vertex_ai", f"{VERTEX}/publishers/anthropic/models/claude-haiku-4-5@20251001", None, IN_AREA),
        ("vertex_ai", "projects/a/locations/global/publishers/anthropic/models/claude-haiku-4-5", None, "0.015"),
        ("google_genai", "models/gemini-2.5-pro", None, "0.0225"),
        ("google_vertexai", f"{VERTEX}/publishers/google/models/gemini-2.5-flash", None, "0.0055"),
        ("gemini", "gemini/gemini-2.0-flash-001", None, "0.0014"),
        ("gcp.gemini", "gemini-2.5-pro-preview-05-06", None, "0.0225"),
        ("google", "gemini-2.5-pro-preview-99", None, "unknown model"),
        ("google", "gemini-1.5-flash-8b", None, "unknown model"),
        ("google", "gemini-2.5-flash-lite-preview-09-2025", None, "0.0014"),
        ("google", "tunedModels/tone-1", None, "fine-tuned model"),
        ("mistralai", "mistral-large-2512", None, "0.0065"),
        ("mistral_ai", "mistral-small-2603", None, "0.0021"),
        ("mistralai", "magistral-medium-2506", None, "0.025"),
        ("mistralai", "mistral-large-2402", None, "unknown model"),
        ("mistralai", "codestral-latest", None, "0.0039"),
        ("groq", "llama-3.3-70b-versatile", None, "0.00669"),
        ("groq", "openai/gpt-oss-120b", None, "0.0021"),
        ("openai", "groq/llama-3.1-8b-instant", None, "0.00058"),
        ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", None, "0.00968"),
        ("openrouter", "anthropic/claude-sonnet-4.5", None, "0.045"),
        (None, "openrouter/openai/gpt-5", None, "0.0225"),
        ("openrouter", "google/gemini-2.5-flash", None, "0.0055"),
        ("openrouter", "meta-llama/llama-3.3-70b-instruct:nitro", None, "unknown model"),
        ("deepseek", "deepseek-chat", None, "0.0038"),
        ("deepseek", "deepseek-reasoner", None, "0.00769"),
        ("xai", "grok-4", None, "0.045"),
        ("x_ai", "grok-3-mini", None, "0.0035"),
        ("cohere", "command-r-plus-08-2024", None, "0.035"),
        ("cohere", "command-r-plus-04-2024", None, "unknown model"),
        ("cohere_chat", "command-a-03-2025", None, "0.035"),
        ("fireworks", "accounts/fireworks/models/llama-v3p1-8b-instruct", None, "0.0022"),
        ("fireworks_ai", "gpt-oss-20b", None, "0.001"),
        ("perplexity", "sonar-pro", None, "0.059"),
        ("perplexity", "sonar", None, "0.023"),
        ("perplexity", "sonar-deep-research", None, "0.028"),
        ("ollama", "llama3.2", None, "unknown model"),
        ("my-openai-proxy", "gpt-4o", None, "unknown model"),
        ("cerebras", "gpt-oss-120b", None, "0.00425"),
        ("watsonx", "ibm/granite-3", None, "unknown model"),
        ("openai", "gpt-5-mini", "scale", "tier without a rate"),
    ],
)  # fmt: skip
def test_a_model_id_has_its_price_or_none(
    provider: Optional[str], model: str, tier: Optional[str], expected: str
) -> None:
    found = priced(provider, model, tier, input_tokens=10_000, output_tokens=1_000)
    if expected[0].isdigit():
        assert (found.amount, found.reason) == (Decimal(expected), None)
    else:
        assert (found.amount, found.reason) == (None, expected)


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "text-embedding-3-small", "0.0002"),
        ("azure_openai", "text-embedding-3-large", "0.0013"),
        ("google_genai", "models/gemini-embedding-001", "0.0015"),
        ("voyageai", "voyage-3.5", "0.0006"),
    ],
)
def test_embeddings_have_input_only(provider: str, model: str, expected: str) -> None:
    assert priced(provider, model, input_tokens=10_000).amount == Decimal(expected)
    assert priced(provider, model, input_tokens=10_000, output_tokens=1).reason == "no rate for output tokens"


@pytest.mark.parametrize(("hour", "expected"), [(0, "0.0019"), (1, "0.0038"), (16, "0.0038"), (17, "0.0019")])
def test_deepseek_is_cheaper_at_night(hour: int, expected: str) -> None:
    at = NOON.replace(hour=hour)
    assert priced("deepseek", "deepseek-chat", at=at, input_tokens=10_000, output_tokens=1_000).amount == Decimal(
        expected
    )


def test_a_snapshot_is_not_known_before_its_day() -> None:
    before, after = NOON.replace(month=11, day=1), NOON
    model = "claude-sonnet-4-5-20261110"
    assert priced("anthropic", model, at=before, input_tokens=10).reason == "unknown model"
    assert priced("anthropic", model, at=after, input_tokens=10).amount == Decimal("0.00003")


def test_a_gateway_of_ones_own_is_not_taken_for_the_provider_in_its_name() -> None:
    assert priced("openai-compatible", "gpt-5-mini", input_tokens=10).reason == "unknown model"


def test_two_hundred_thousand_tokens_are_a_large_request_from_the_next_one_on() -> None:
    at_most = priced("anthropic", "claude-sonnet-4-5", input_tokens=200_000)
    more = priced("anthropic", "claude-sonnet-4-5", input_tokens=200_001)
    assert (at_most.amount, more.amount) == (Decimal("0.6"), Decimal("1.200006"))
