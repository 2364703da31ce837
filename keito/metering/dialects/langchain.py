"""What LangChain makes of an answer. Nothing is imported from it.

`usage_metadata` has its details inside its sums, for every provider:
https://python.langchain.com/api_reference/core/messages/langchain_core.messages.ai.UsageMetadata.html
"""

from __future__ import annotations

from typing import Optional

from keito.metering.dialects.counts import Counts
from keito.metering.dialects.reading import field, members, text
from keito.metering.dialects.report import Report
from keito.metering.usage import Usage

_TIERS = ("flex", "priority")
"""langchain-openai puts the service tier before the names of details: `flex`, `flex_cache_read`, ..."""

_WRITES = ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
_INPUT_KINDS = {"cache_read", "audio", "image", "text", *_WRITES}
_OUTPUT_KINDS = {"reasoning", "audio", "image", "text"}
_OWN_IDS = ("lc_", "run-")
"""Ids that LangChain makes up for messages which have none."""


def message(answer: object, provider: Optional[str] = None) -> Report:  # noqa: ARG001 - all dialects take it
    """Read a message of a chat model."""
    counted, about = field(answer, "usage_metadata"), field(answer, "response_metadata")
    return Report(
        usage=metadata_usage(counted),
        model=text(field(about, "model_name")) or text(field(about, "model")),
        tier=text(field(about, "service_tier")) or tier_of(counted),
        response_id=response_id(answer),
        provider=text(field(about, "model_provider")),
    )


def metadata_usage(counted: object) -> Optional[Usage]:
    """Tokens of `usage_metadata`."""
    counts = Counts(counted)
    inputs, outputs = _details(counts, "input_token_details"), _details(counts, "output_token_details")
    taken, made = counts.read("input_tokens"), counts.read("output_tokens")
    # langchain-xai hands on that xAI counts reasoning beside the rest.
    total = counts.total("total_tokens", taken + made, taken + made + outputs.get("reasoning", 0))
    return counts.usage(
        {*inputs} - _INPUT_KINDS | {*outputs} - _OUTPUT_KINDS,
        input_tokens=taken,
        output_tokens=total - taken,
        cache_read_tokens=inputs.get("cache_read", 0),
        cache_write_tokens=written(*(inputs.get(kind, 0) for kind in _WRITES)),
        cache_write_5m_tokens=inputs.get("ephemeral_5m_input_tokens", 0),
        cache_write_1h_tokens=inputs.get("ephemeral_1h_input_tokens", 0),
        reasoning_tokens=outputs.get("reasoning", 0),
        input_audio_tokens=inputs.get("audio", 0),
        output_audio_tokens=outputs.get("audio", 0),
        input_image_tokens=inputs.get("image", 0),
        output_image_tokens=outputs.get("image", 0),
    )


def written(whole: int, five_minutes: int, one_hour: int) -> int:
    """All tokens that were written to the cache.

    langchain-anthropic sets the whole to 0 where it knows the lifetimes; before 1.0 it left it as their sum.
    """
    lasting = five_minutes + one_hour
    return lasting if whole == lasting else whole + lasting


def response_id(answer: object, output: object = None) -> Optional[str]:
    """The provider's id of the answer, from the message or else from `llm_output`. Streams often have none."""
    own = text(field(answer, "response_metadata", "id")) or text(field(output, "id"))
    message_id = text(field(answer, "id"))
    return own or (None if message_id is None or message_id.startswith(_OWN_IDS) else message_id)


def tier_of(counted: object) -> Optional[str]:
    """The service tier that the names of the details begin with."""
    details = [members(field(counted, name)) for name in ("input_token_details", "output_token_details")]
    names = {str(key).split("_", 1)[0] for part in details for key in part}
    return next((tier for tier in _TIERS if tier in names), None)


def _details(counts: Counts, name: str) -> dict[str, int]:
    """The details by kind, without the tier in their names. The tier's own name is the rest that has no kind."""
    found: dict[str, int] = {}
    for key, value in members(field(counts.source, name)).items():
        kind, count = _kind(str(key)), counts.whole(value)
        if kind and count:
            found[kind] = found.get(kind, 0) + count
    return found


def _kind(key: str) -> str:
    return next((key[len(tier) + 1 :] for tier in _TIERS if key == tier or key.startswith(tier + "_")), key)
