"""Tokens of one model call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Optional

from keito.metering.compact import compact, quick

MOST = 10**12
"""Tokens that no call has. One count as large would spoil the sums of everything that it is added to."""


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
        counts = _counts(self)
        if min(counts) < 0:
            return "negative token count"
        if max(counts) >= MOST:
            return "impossible token count"
        if self.raw is not None or not self._adds_up():
            return "token counts do not add up"
        return None

    @property
    def countable(self) -> Usage:
        """The same with whole numbers only, for sums: 0 in the place of counts that no call has.

        Where there are such, it has a `problem` like the original, so that what is left of it is never priced.
        """
        counts = _counts(self)
        if set(map(type, counts)) == _WHOLE and min(counts) >= 0 and max(counts) < MOST:
            return self
        whole: dict[str, Any] = dict(zip(_COUNTS, map(_whole, counts)))
        is_same = all(count is not None for count in whole.values())
        known = {name: count or 0 for name, count in whole.items()}
        return Usage(**known, other_kinds=self.other_kinds, raw=self.raw if is_same else self.raw or _LEFT_OUT)

    def _adds_up(self) -> bool:
        return (
            self.input_tokens >= self.cache_read_tokens + self.cache_write_tokens
            and self.cache_write_tokens >= self.cache_write_5m_tokens + self.cache_write_1h_tokens
            and self.output_tokens >= self.reasoning_tokens
            and self.input_tokens >= self.input_audio_tokens + self.input_image_tokens
            and self.output_tokens >= self.output_audio_tokens + self.output_image_tokens
        )


def _whole(count: Any) -> Optional[int]:
    """A count of whatever type as a number that JSON has; `None` where no call has as many."""
    try:
        whole = int(count)
        return whole if whole == count and 0 <= whole < MOST else None
    except Exception:  # it is no number
        return None


quick_usage = quick(Usage)
"""Makes a `Usage`, where an agent waits for it."""

_COUNTS = tuple(field.name for field in fields(Usage) if field.name not in {"other_kinds", "raw"})
_WHOLE = {int}
_LEFT_OUT = "\u2026"
_counts: Callable[[Usage], tuple[int, ...]] = attrgetter(*_COUNTS)
