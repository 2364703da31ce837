"""The text of a time entry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from string import Formatter
from typing import Any

FIELDS = ("name", "agent", "session", "trigger", "status", "models", "calls", "input_tokens", "output_tokens", "outcomes")  # fmt: skip # noqa: E501
"""What a template may name, beside the attributes of runs."""


_PLAIN = (str, int, float, Decimal, date)
"""What can stand in a text. Formatting anything else would run code of the program."""


def check_template(template: str) -> None:
    """Refuse a template that could not be filled in.

    Raises:
        ValueError: A brace stands alone, or a field is more than a name.
    """
    for _, field, _, _ in Formatter().parse(template):
        if field is not None and not field.isidentifier():
            raise ValueError(f"{{{field}}} is not a name")


def fill(template: str, values: Mapping[str, Any]) -> str:
    """`template` with the values in the places of their names; an unknown name leaves nothing.

    A format that does not suit its value is ignored: notes are no reason to lose a bill.
    """
    parts: list[str] = []
    for text, field, form, _ in Formatter().parse(template):
        parts.append(text)
        value = values.get(field) if field is not None else None
        if isinstance(value, _PLAIN):
            parts.append(_formatted(value, form or ""))
    return "".join(parts).strip()


def _formatted(value: Any, form: str) -> str:
    for how in (form, ""):
        try:
            return format(value, how)
        except Exception:  # noqa: PERF203, S112 - such as an integer with too many digits for any text
            continue
    return ""
