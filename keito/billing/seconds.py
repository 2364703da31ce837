"""Times that programs give in seconds."""

from __future__ import annotations


def check_seconds(name: str, value: object) -> None:
    """Refuse what is no time to wait. Infinity is one: it means never.

    Raises:
        ValueError: It is no number, or negative.
    """
    if not isinstance(value, (int, float)) or not value >= 0:
        raise ValueError(f"{name} is a number of seconds, and not negative; got {value!r}")
