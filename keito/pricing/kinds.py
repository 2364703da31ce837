"""Kinds of tokens, and the rates that may price them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Optional

from keito.metering import Usage

Kind = tuple[str, int, tuple[str, ...]]

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


def counted(usage: Usage, *, images_are_text: bool = False) -> tuple[Kind, ...]:
    """The tokens by kind, each counted once: the kind, how many, and the rates for it, the best first.

    A general rate never stands in for a special one. Audio priced as text would be 8 times too low for some
    models; only reasoning is output like any other unless it has a rate of its own, and providers say so.
    """
    written = usage.cache_write_tokens
    spoken, drawn = usage.output_audio_tokens, usage.output_image_tokens
    heard, seen = usage.input_audio_tokens, 0 if images_are_text else usage.input_image_tokens
    return (
        ("input", usage.input_tokens - usage.cache_read_tokens - written - heard - seen, ("input_mtok",)),
        ("output", usage.output_tokens - usage.reasoning_tokens - spoken - drawn, ("output_mtok",)),
        ("cache read", usage.cache_read_tokens, ("cache_read_mtok",)),
        ("cache write", written - usage.cache_write_5m_tokens - usage.cache_write_1h_tokens, ("cache_write_mtok",)),
        ("cache write", usage.cache_write_5m_tokens, ("cache_write_5m_mtok", "cache_write_mtok")),
        ("1 hour cache write", usage.cache_write_1h_tokens, ("cache_write_1h_mtok",)),
        ("reasoning", usage.reasoning_tokens, ("output_reasoning_mtok", "output_mtok")),
        ("audio input", heard, ("input_audio_mtok",)),
        ("audio output", spoken, ("output_audio_mtok",)),
        ("image input", seen, ("input_image_mtok",)),
        ("image output", drawn, ("output_image_mtok",)),
    )


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
    if usage.other_kinds:
        return f"no rate for {usage.other_kinds[0]} tokens"
    for name in _FURTHER:
        if getattr(usage, name):
            return f"no rate for {name.replace('_tokens', '').replace('_', ' ')} tokens"
    if usage.input_audio_tokens and (usage.cache_read_tokens or usage.cache_write_tokens):
        return "no rate for cached audio tokens"
    return None
