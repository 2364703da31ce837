"""Texts from outside, as they can be posted."""

from __future__ import annotations

from typing import Optional


def readable(value: object) -> str:
    """`value` as text, with `?` in the place of what UTF-8 cannot carry, such as half of a surrogate pair."""
    text = str.__str__(value) if isinstance(value, str) else _said(value)
    return text if text.isascii() else text.encode(errors="replace").decode()


def _said(value: object) -> str:
    try:
        return str(value)
    except Exception:  # such as an integer with more digits than Python writes
        return f"({type(value).__name__})"


def text_of(value: Optional[object]) -> Optional[str]:
    """A name or id as text, whatever object a program keeps it in."""
    return None if value is None else readable(value)
