"""Anthropic's answers: what was read from the cache, and what was written to it, is beside the input.

https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching#tracking-cache-performance
"""

from __future__ import annotations

from typing import Any, Optional

from keito.metering.dialects.counts import Counts
from keito.metering.dialects.reading import field, members, rows, text
from keito.metering.dialects.report import Report, joined
from keito.metering.usage import Usage

_NO_PLACE = {"global", "not_available"}


def message(answer: object, provider: Optional[str] = None) -> Report:  # noqa: ARG001 - all dialects take it
    """Read a message."""
    return about(answer, field(answer, "usage"))


def about(answer: object, usage: object) -> Report:
    """Read the parts of a message, whose usage may have been put together from a stream."""
    return Report(
        usage=message_usage(usage),
        model=text(field(answer, "model")),
        tier=tier_of(usage),
        response_id=text(field(answer, "id")),
    )


def message_usage(usage: object) -> Optional[Usage]:
    """Tokens of a message's `usage`."""
    counts = Counts(usage)
    short = counts.read("cache_creation", "ephemeral_5m_input_tokens")
    long = counts.read("cache_creation", "ephemeral_1h_input_tokens")
    whole = field(counts.source, "cache_creation_input_tokens")
    read, written = counts.read("cache_read_input_tokens"), short + long if whole is None else counts.whole(whole)
    if long:  # what has no lifetime would be taken for the cheaper one
        counts.one_of(written, short + long)
    plain, made = counts.sums(field(counts.source, "input_tokens"), field(counts.source, "output_tokens"))
    return counts.usage(
        beside(counts)
        | counts.others(counts.part("cache_creation"), {"ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"}),
        input_tokens=plain + read + written,
        output_tokens=made,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_5m_tokens=short,
        cache_write_1h_tokens=long,
        reasoning_tokens=counts.read("output_tokens_details", "thinking_tokens"),
    )


def merged(start: object, delta: object) -> dict[str, Any]:
    """The usage of a streamed message: that of its start, replaced by the running totals that came later.

    https://docs.anthropic.com/en/docs/build-with-claude/streaming#event-types
    """
    return {**_given(start), **_given(delta)}


def _given(usage: object) -> dict[str, Any]:
    return {name: value for name, value in members(usage).items() if value is not None}


def beside(counts: Counts) -> set[str]:
    """Kinds that cost something beside the tokens: web searches, and what ran in other models or in compactions.

    https://docs.anthropic.com/en/docs/build-with-claude/compaction: those tokens are not in the sums.
    """
    searches = {"web_search"} if counts.read("server_tool_use", "web_search_requests") > 0 else set[str]()
    parts = {text(field(part, "type")) for part in rows(field(counts.source, "iterations"))}
    return searches | {f"{part} iteration" for part in parts if part and part != "message"}


def tier_of(usage: object) -> Optional[str]:
    """The tier, the fast mode and the place of inference: each of them changes the rates.

    https://docs.anthropic.com/en/docs/about-claude/pricing
    """
    tier, speed, place = (text(field(usage, name)) for name in ("service_tier", "speed", "inference_geo"))
    special = joined(speed if speed != "standard" else None, place if place not in _NO_PLACE else None)
    return joined(tier if tier != "standard" else None, special) or tier
