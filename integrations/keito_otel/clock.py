"""What the times of a span are worth: programs may set them, and clocks may be wrong."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Optional

from typing_extensions import TypeGuard

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from keito_otel.nodes import Root

_UTC = timezone.utc
_at = datetime.fromtimestamp

_MOST_NS = 7 * 86_400 * 10**9
"""The most by which a span may be longer than this process saw, or end after this moment. Replayed ones, which tell a
time that nobody saw, are ended at once; but a clock that is wrong by a month must not bill that month."""


def moment(nanoseconds: Optional[int]) -> datetime:
    """A span's time as a moment; now, if it has none, or none that can be true."""
    if nanoseconds is None or not 0 <= nanoseconds <= time.time_ns() + _MOST_NS:  # `is_believed`, without a call
        return datetime.now(_UTC)
    return _at(nanoseconds // 1000 / 1e6, _UTC)  # exact: microseconds fit a float


def is_believed(nanoseconds: Optional[int]) -> TypeGuard[int]:
    """Whether something can have happened then: since 1970, and not far in the future."""
    return nanoseconds is not None and 0 <= nanoseconds <= time.time_ns() + _MOST_NS


def start_of(root: Root) -> datetime:
    """When a root began: as its span says, or as this process saw it."""
    told = root.span.start_time
    if is_believed(told):
        return moment(told)
    return datetime.now(_UTC) - timedelta(seconds=time.monotonic() - root.began_at)


def elapsed_ns(root: Root, span: ReadableSpan) -> Optional[int]:
    """How long a root took by the times of its span; `None` if they cannot be true."""
    start, end = span.start_time, span.end_time
    if not (is_believed(start) and is_believed(end)):
        return None
    return end - start if 0 <= end - start <= seen_ns(root) + _MOST_NS else None


def seen_ns(root: Root) -> int:
    """How long a root took as this process saw it, until something last happened in it."""
    return max(0, int((root.seen_at - root.began_at) * 1e9))
