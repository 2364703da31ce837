"""Google's Gemini answers: cached tokens are inside the prompt; thoughts and tool results are beside the rest.

https://ai.google.dev/api/generate-content#UsageMetadata and
https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse#UsageMetadata
Answers over HTTP have camelCase names, those of the Python client snake_case ones.
"""

from __future__ import annotations

import re
from typing import Optional

from keito.metering.dialects.counts import Counts
from keito.metering.dialects.reading import field, is_missing, rows, text
from keito.metering.dialects.report import Report
from keito.metering.usage import Usage

_IMAGES = {"IMAGE", "DOCUMENT"}
"""A document is counted page by page, as images are."""

_WORDS = {"TEXT", "MODALITY_UNSPECIFIED"}
_PLAIN = {*_WORDS, "AUDIO", *_IMAGES}


def content(answer: object, provider: Optional[str] = None) -> Report:  # noqa: ARG001 - all dialects take it
    """Read an answer of `generateContent`, or the last chunk of a stream: each chunk has the totals so far."""
    usage = either(answer, "usage_metadata")
    return Report(
        usage=content_usage(usage),
        model=text(either(answer, "model_version")),
        tier=_tier(usage),
        response_id=text(either(answer, "response_id")),
    )


def content_usage(usage: object) -> Optional[Usage]:
    """Tokens of `usageMetadata`."""
    counts = Counts(usage)
    prompt, tools, candidates, thoughts, total = (
        counts.whole(either(usage, f"{name}_token_count"))
        for name in ("prompt", "tool_use_prompt", "candidates", "thoughts", "total")
    )
    made = candidates + thoughts
    if total != prompt + tools + made and (total or not prompt or not candidates):  # zeros are left out in JSON
        counts.doubtful = True
    taken_kinds = _modalities(counts, "prompt_tokens_details", "tool_use_prompt_tokens_details")
    made_kinds = _modalities(counts, "candidates_tokens_details")
    for kind, cached in _modalities(counts, "cache_tokens_details").items():
        counts.doubtful = counts.doubtful or (kind not in _WORDS and cached > taken_kinds.get(kind, 0))
    return counts.usage(
        {kind.lower() for kind in {*taken_kinds, *made_kinds} - _PLAIN},
        input_tokens=prompt + tools,
        output_tokens=made,
        cache_read_tokens=counts.whole(either(usage, "cached_content_token_count")),
        reasoning_tokens=thoughts,
        input_audio_tokens=taken_kinds.get("AUDIO", 0),
        output_audio_tokens=made_kinds.get("AUDIO", 0),
        input_image_tokens=sum(taken_kinds.get(kind, 0) for kind in _IMAGES),
        output_image_tokens=sum(made_kinds.get(kind, 0) for kind in _IMAGES),
    )


def either(source: object, name: str) -> object:
    """The value under a snake_case name, or under the same name in camelCase."""
    found = field(source, name)
    return field(source, re.sub(r"_([a-z])", lambda match: match[1].upper(), name)) if found is None else found


def _modalities(counts: Counts, *names: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in (row for name in names for row in rows(either(counts.source, name))):
        modality = field(row, "modality")
        kind = _name(modality) or ("MODALITY_UNSPECIFIED" if is_missing(modality) else "unknown")
        count = counts.whole(either(row, "token_count"))
        if count:
            found[kind.upper()] = found.get(kind.upper(), 0) + count
    return found


def _name(value: object) -> Optional[str]:
    """A text, or the name of a member of one of protobuf's enums, which are numbers."""
    return text(value) or text(field(value, "name"))


def _tier(usage: object) -> Optional[str]:
    """`flex` and the like: Vertex says `ON_DEMAND_FLEX`, the Gemini API `flex`."""
    named = _name(either(usage, "service_tier")) or _name(either(usage, "traffic_type"))
    tier = (named or "").lower()
    if tier in {"", "traffic_type_unspecified", "unspecified", "service_tier_unspecified"}:
        return None
    return re.sub("^on_demand_", "", tier)
