"""OpenAI's answers, and those of the many providers that speak its language.

Cached, written and audio tokens are inside the input, reasoning is inside the output:
https://platform.openai.com/docs/api-reference/chat/object and https://platform.openai.com/docs/api-reference/responses/object.
xAI counts reasoning beside the completion of chats, and its total shows it. DeepSeek, Moonshot and Mistral have names
of their own for cached tokens, LiteLLM's proxy for those that were written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from keito.metering.dialects.costs import reported_cost
from keito.metering.dialects.counts import Counts
from keito.metering.dialects.reading import field, members, named, text
from keito.metering.dialects.report import Report
from keito.metering.usage import Usage

_INPUT_KINDS = {
    "audio_tokens",
    "cache_creation_tokens",
    "cache_write_tokens",
    "cached_tokens",
    "image_tokens",
    "text_tokens",
}
_OUTPUT_KINDS = {
    "accepted_prediction_tokens",  # a prediction costs what output costs, whether it came true or not
    "audio_tokens",
    "image_tokens",
    "reasoning_tokens",
    "rejected_prediction_tokens",
    "text_tokens",
}

_CACHED = ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens")
_APART = {"citation_tokens", "num_search_queries", "prompt_audio_seconds", "reasoning_tokens"}


def chat(answer: object, provider: Optional[str] = None) -> Report:
    """Read a chat completion, a text completion or a chunk of one."""
    about = named(answer)  # once, not for each of its fields
    usage = field(about, "usage")
    return Report(
        usage=chat_usage(usage),
        model=text(field(about, "model")),
        tier=text(field(about, "service_tier")),
        response_id=text(field(about, "id")),
        reported_cost=reported_cost(usage, provider),
    )


def text_completion(answer: object, provider: Optional[str] = None) -> Report:
    """Read an answer of the older completions endpoint, which counts as chats do."""
    found = chat(answer, provider)
    return Report(
        found.usage, found.model, found.tier, found.response_id, found.reported_cost, operation="text_completion"
    )


def embeddings(answer: object, provider: Optional[str] = None) -> Report:
    """Read an answer of the embeddings endpoint: it has input only, and no id."""
    usage = field(answer, "usage")
    return Report(
        usage=chat_usage({"completion_tokens": 0, **members(usage)}),
        model=text(field(answer, "model")),
        reported_cost=reported_cost(usage, provider),
        operation="embeddings",
    )


def responses(answer: object, provider: Optional[str] = None) -> Report:
    """Read an answer of the responses endpoint."""
    usage = field(answer, "usage")
    return Report(
        usage=responses_usage(usage),
        model=text(field(answer, "model")),
        tier=text(field(answer, "service_tier")),
        response_id=text(field(answer, "id")),
        reported_cost=reported_cost(usage, provider),
    )


def chat_usage(usage: object) -> Optional[Usage]:
    """Tokens of a chat's `usage`."""
    counts = Counts(usage)
    inputs = counts.part("prompt_tokens_details", "prompt_token_details")
    about = members(counts.source)
    return _usage(
        counts,
        counts.sums(about.get("prompt_tokens"), about.get("completion_tokens"), about.get("total_tokens")),
        (inputs, counts.part("completion_tokens_details")),
        cache_read_tokens=counts.same(inputs.get("cached_tokens"), *(about.get(name) for name in _CACHED)),
        cache_write_tokens=counts.same(
            inputs.get("cache_write_tokens"),
            inputs.get("cache_creation_tokens"),
            about.get("cache_creation_input_tokens"),
        ),
        **_lives(counts, inputs),
    )


def _lives(counts: Counts, inputs: Mapping[str, Any]) -> dict[str, int]:
    """How long LiteLLM says that written tokens are kept, as Anthropic has told it."""
    lives = inputs.get("cache_creation_token_details")
    if lives is None:
        return {}
    return {
        "cache_write_5m_tokens": counts.whole(field(lives, "ephemeral_5m_input_tokens")),
        "cache_write_1h_tokens": counts.whole(field(lives, "ephemeral_1h_input_tokens")),
    }


def responses_usage(usage: object) -> Optional[Usage]:
    """Tokens of a response's `usage`; images that were made are counted the same way."""
    counts = Counts(usage)
    inputs = counts.part("input_tokens_details")
    return _usage(
        counts,
        counts.sums(*(field(counts.source, name) for name in ("input_tokens", "output_tokens", "total_tokens"))),
        (inputs, counts.part("output_tokens_details")),
        cache_read_tokens=counts.whole(inputs.get("cached_tokens")),
        cache_write_tokens=counts.whole(inputs.get("cache_write_tokens")),
    )


def _usage(
    counts: Counts, sums: tuple[int, int], details: tuple[Mapping[str, Any], Mapping[str, Any]], **cache: int
) -> Optional[Usage]:
    (taken, made), (inputs, outputs) = sums, details
    reasoning = counts.whole(outputs.get("reasoning_tokens"))
    total = counts.total("total_tokens", taken + made, taken + made + reasoning)
    return counts.usage(
        _beside(counts) | counts.others(inputs, _INPUT_KINDS) | counts.others(outputs, _OUTPUT_KINDS),
        input_tokens=taken,
        output_tokens=total - taken,
        reasoning_tokens=reasoning,
        input_audio_tokens=counts.whole(inputs.get("audio_tokens")),
        output_audio_tokens=counts.whole(outputs.get("audio_tokens")),
        input_image_tokens=counts.whole(inputs.get("image_tokens")),
        output_image_tokens=counts.whole(outputs.get("image_tokens")),
        **cache,
    )


def _beside(counts: Counts) -> set[str]:
    """Kinds that are priced apart from the tokens.

    Perplexity charges for reasoning, citations and searches by themselves, Mistral for the length of speech and for
    each use of a connector: https://docs.perplexity.ai/getting-started/pricing,
    https://docs.mistral.ai/capabilities/audio and https://docs.mistral.ai/agents/agents_introduction.
    """
    about = members(counts.source)
    kinds = {name.replace("_tokens", "") for name in _APART & about.keys() if counts.read(name) > 0}
    return kinds | counts.others(members(about["connectors"]), set()) if about.get("connectors") else kinds
