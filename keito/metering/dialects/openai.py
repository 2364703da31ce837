"""OpenAI's answers, and those of the many providers that speak its language.

Cached, written and audio tokens are inside the input, reasoning is inside the output:
https://platform.openai.com/docs/api-reference/chat/object and https://platform.openai.com/docs/api-reference/responses/object.
xAI counts reasoning beside the completion of chats, and its total shows it. DeepSeek, Moonshot and Mistral have names
of their own for cached tokens, LiteLLM's proxy for those that were written.
"""

from __future__ import annotations

from typing import Optional

from keito.metering.dialects.costs import reported_cost
from keito.metering.dialects.counts import Counts
from keito.metering.dialects.reading import field, text
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


def chat(answer: object, provider: Optional[str] = None) -> Report:
    """Read a chat completion, a text completion or a chunk of one."""
    usage = field(answer, "usage")
    return Report(
        usage=chat_usage(usage),
        model=text(field(answer, "model")),
        tier=text(field(answer, "service_tier")),
        response_id=text(field(answer, "id")),
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
        usage=chat_usage(usage),
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
    details = "prompt_tokens_details" if field(usage, "prompt_tokens_details") is not None else "prompt_token_details"
    prompt, completion = counts.read("prompt_tokens"), counts.read("completion_tokens")
    cached = counts.same(
        (details, "cached_tokens"), ("prompt_cache_hit_tokens",), ("cached_tokens",), ("num_cached_tokens",)
    )
    written = counts.same(
        (details, "cache_write_tokens"), (details, "cache_creation_tokens"), ("cache_creation_input_tokens",)
    )
    return _usage(counts, prompt, completion, cached, written, details, "completion_tokens_details", _beside(counts))


def responses_usage(usage: object) -> Optional[Usage]:
    """Tokens of a response's `usage`; images that were made are counted the same way."""
    counts = Counts(usage)
    details = "input_tokens_details"
    taken, made = counts.read("input_tokens"), counts.read("output_tokens")
    cached, written = counts.read(details, "cached_tokens"), counts.read(details, "cache_write_tokens")
    return _usage(counts, taken, made, cached, written, details, "output_tokens_details", set())


def _usage(
    counts: Counts, taken: int, made: int, cached: int, written: int, inputs: str, outputs: str, beside: set[str]
) -> Optional[Usage]:
    reasoning = counts.read(outputs, "reasoning_tokens")
    total = counts.total("total_tokens", taken + made, taken + made + reasoning)
    return counts.usage(
        beside | counts.others(inputs, _INPUT_KINDS) | counts.others(outputs, _OUTPUT_KINDS),
        input_tokens=taken,
        output_tokens=total - taken,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
        input_audio_tokens=counts.read(inputs, "audio_tokens"),
        output_audio_tokens=counts.read(outputs, "audio_tokens"),
        input_image_tokens=counts.read(inputs, "image_tokens"),
        output_image_tokens=counts.read(outputs, "image_tokens"),
    )


def _beside(counts: Counts) -> set[str]:
    """Kinds that are priced apart from the tokens.

    Perplexity charges for reasoning, citations and searches by themselves, Mistral for the length of speech:
    https://docs.perplexity.ai/getting-started/pricing and https://docs.mistral.ai/capabilities/audio.
    """
    named = ("citation_tokens", "num_search_queries", "prompt_audio_seconds", "reasoning_tokens")
    return {name.replace("_tokens", "") for name in named if counts.read(name) > 0}
