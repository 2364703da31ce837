"""Kinds of tokens, and the rates of the price table that may price them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Optional

from keito.metering import Usage


def _counted(usage: Usage) -> tuple[tuple[str, int, tuple[str, ...]], ...]:
    """Name, count and the rates of which one must exist."""
    short_writes = usage.cache_write_tokens - usage.cache_write_1h_tokens
    plain_input = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
    return (
        ("input", plain_input, ("input_mtok",)),
        ("output", usage.output_tokens, ("output_mtok",)),
        ("cache read", usage.cache_read_tokens, ("cache_read_mtok",)),
        ("cache write", short_writes, ("cache_write_5m_mtok", "cache_write_mtok")),
        ("1 hour cache write", usage.cache_write_1h_tokens, ("cache_write_1h_mtok",)),
        ("audio input", usage.input_audio_tokens, ("input_audio_mtok",)),
        ("audio output", usage.output_audio_tokens, ("output_audio_mtok",)),
    )


def missing_rate(usage: Usage, rates: Collection[str]) -> Optional[str]:
    """The first kind of token that was counted and has no rate of its own, or `None`.

    The table's own arithmetic falls back to the next more general rate and says nothing: audio would be
    priced as text, 8 times too low for some models.
    """
    for name, count, accepted in _counted(usage):
        if count > 0 and not any(rate in rates for rate in accepted):
            return name
    return usage.other_kinds[0] if usage.other_kinds else None


def used_rates(usage: Usage, rates: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Those of `rates` that the price of `usage` is made of."""
    used = {rate for _, count, accepted in _counted(usage) if count > 0 for rate in accepted}
    if usage.reasoning_tokens:  # billed as output unless it has a rate of its own
        used.add("output_reasoning_mtok")
    used.add("requests_kcount")  # a few models have a price for the request itself
    return {name: rate for name, rate in rates.items() if name in used}


def genai_counts(usage: Usage) -> dict[str, int]:
    """The counts under the names of genai-prices, where the parts are inside their whole as well. Zeros left out."""
    counts = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "input_audio_tokens": usage.input_audio_tokens,
        "output_audio_tokens": usage.output_audio_tokens,
        "output_reasoning_tokens": usage.reasoning_tokens,
    }
    return {name: count for name, count in counts.items() if count}
