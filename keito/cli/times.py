"""Moments and spans of time, as commands show them."""

from __future__ import annotations

from datetime import datetime, timezone


def moment(seconds: float) -> str:
    """A moment of the store's clock, for people and programs."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def duration(seconds: float) -> str:
    """A span of time, for people."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
