"""Tokens of one model call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Optional

from keito.metering.compact import compact, quick


@compact
@dataclass(frozen=True)
class Usage:
    """Tokens of one model call, in the terms of OpenTelemetry's GenAI conventions.

    Every other count is a part of `input_tokens` or of `output_tokens`, never an addition to it:
    https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/

    Attributes:
        input_tokens: All input, cache reads and writes included.
        output_tokens: All output, reasoning included.
        cache_read_tokens: Input that was read from the provider's prompt cache.
        cache_write_tokens: Input that was written to it, whatever its lifetime.
        cache_write_5m_tokens: Those of `cache_write_tokens` that are kept for 5 minutes.
        cache_write_1h_tokens: Those of `cache_write_tokens` that are kept for 1 hour.
        reasoning_tokens: Output that the user does not see.
        input_audio_tokens: Input that was sound.
        output_audio_tokens: Output that is sound.
        other_kinds: Names of further kinds that the provider counted. They may have prices of their own.
        input_image_tokens: Input that was images.
        output_image_tokens: Output that is images.
        raw: What the provider reported, as short JSON. It is kept only where that does not add up or is no number.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    other_kinds: tuple[str, ...] = ()
    input_image_tokens: int = 0
    output_image_tokens: int = 0
    raw: Optional[str] = None

    def __add__(self, other: Usage) -> Usage:
        """The tokens of both. For totals only: a price depends on the size of each call."""
        return Usage(
            **{name: getattr(self, name) + getattr(other, name) for name in _COUNTS},
            other_kinds=tuple(sorted({*self.other_kinds, *other.other_kinds})),
            raw=self.raw or other.raw,
        )

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def problem(self) -> Optional[str]:
        """Why the counts cannot be true, or `None`."""
        if min(_counts(self)) < 0:
            return "negative token count"
        if self.raw is not None or not self._adds_up():
            return "token counts do not add up"
        return None

    def _adds_up(self) -> bool:
        return (
            self.input_tokens >= self.cache_read_tokens + self.cache_write_tokens
            and self.cache_write_tokens >= self.cache_write_5m_tokens + self.cache_write_1h_tokens
            and self.output_tokens >= self.reasoning_tokens
            and self.input_tokens >= self.input_audio_tokens + self.input_image_tokens
            and self.output_tokens >= self.output_audio_tokens + self.output_image_tokens
        )


quick_usage = quick(Usage)
"""Makes a `Usage`, where an agent waits for it."""

_COUNTS = tuple(field.name for field in fields(Usage) if field.name not in {"other_kinds", "raw"})
_counts: Callable[[Usage], tuple[int, ...]] = attrgetter(*_COUNTS)
