"""Kinds of tokens, and the rates that may price them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Optional

from keito.metering import Usage

KINDS = (
    ("input", ("input_mtok",)),
    ("output", ("output_mtok",)),
    ("cache read", ("cache_read_mtok",)),
    ("cache write", ("cache_write_mtok",)),
    ("cache write", ("cache_write_5m_mtok", "cache_write_mtok")),
    ("1 hour cache write", ("cache_write_1h_mtok",)),
    ("reasoning", ("output_reasoning_mtok", "output_mtok")),
    ("audio input", ("input_audio_mtok",)),
    ("audio output", ("output_audio_mtok",)),
    ("image input", ("input_image_mtok",)),
    ("image output", ("output_image_mtok",)),
)
"""Each kind of token with the rates for it, the best first.

A general rate never stands in for a special one. Audio priced as text would be 8 times too low for some models; only
reasoning is output like any other unless it has a rate of its own, and providers say so.
"""

_KNOWN = {
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
}
_TEXT_IS_IMAGES_TOO = {"google"}
"""Providers with one input price for text, images and video: https://ai.google.dev/gemini-api/docs/pricing"""

_FURTHER = tuple(field.name for field in fields(Usage) if field.name.endswith("_tokens") and field.name not in _KNOWN)
"""Counts that `Usage` has and that have no rate here. They make a call unpriced, rather than cost as much as text."""


def counts_of(usage: Usage, *, images_are_text: bool = False) -> tuple[int, ...]:
    """How many tokens there are of each of `KINDS`; each token is counted once."""
    read, written = usage.cache_read_tokens, usage.cache_write_tokens
    short, long = usage.cache_write_5m_tokens, usage.cache_write_1h_tokens
    thought, spoken, drawn = usage.reasoning_tokens, usage.output_audio_tokens, usage.output_image_tokens
    heard, seen = usage.input_audio_tokens, 0 if images_are_text else usage.input_image_tokens
    text = usage.input_tokens - read - written - heard - seen
    words = usage.output_tokens - thought - spoken - drawn
    return text, words, read, written - short - long, short, long, thought, heard, spoken, seen, drawn


def images_are_text(provider: Optional[str], units: Collection[str]) -> bool:
    """Whether images in the input cost as much as text there, because the provider says so."""
    return provider in _TEXT_IS_IMAGES_TOO and "input_image_mtok" not in units


def cached_image(usage: Usage) -> bool:
    """Whether a part of the images may have been cached, which has a rate of its own; the counts don't say."""
    return usage.input_image_tokens > 0 and (usage.cache_read_tokens > 0 or usage.cache_write_tokens > 0)


def unpriceable(usage: Usage) -> Optional[str]:
    """Why no table can price these tokens, whatever its rates; `None` when one may.

    Cached audio has a rate of its own, and the counts don't say how much of the cached tokens is audio.
    """
    if usage.problem is not None:
        return usage.problem
    further = next((name.replace("_tokens", "").replace("_", " ") for name in _FURTHER if getattr(usage, name)), None)
    if usage.other_kinds or further:
        return f"no rate for {(*usage.other_kinds, further)[0]} tokens"
    if usage.input_audio_tokens and (usage.cache_read_tokens or usage.cache_write_tokens):
        return "no rate for cached audio tokens"
    return None


def is_plain(usage: Usage) -> bool:
    """Whether the tokens are text only, so that counts of which none is negative can be true and be priced."""
    if usage.input_audio_tokens or usage.input_image_tokens or usage.other_kinds or _FURTHER:
        return False
    return usage.raw is None
