"""What may stand behind the name of a model without making another model of it: dates and versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Optional

from keito.pricing.names import BEDROCK_VERSION

_DATE = re.compile(r"[-@](20\d\d)(-?)(\d\d)\2(\d\d)$")
_MONTH_FIRST = re.compile(r"-(\d\d)-(20\d\d)$")
_SHORT = re.compile(r"(?<=-preview)-(\d\d)-(\d\d)$|(?<=-exp)-(\d\d)-(\d\d)$|-(\d\d)(\d\d)$")
_SHORT_DATES = {"deepseek", "google", "mistral", "moonshotai", "x-ai"}
"""Providers that write less than a date behind a model's name."""

_WORD = re.compile(r"[-@]latest$|@default$|-preview$|-exp$")
_VERSIONS = {"aws": BEDROCK_VERSION, "google": re.compile(r"-00\d$")}
"""Versions of a model that cost the same, by provider."""


def undated(name: str) -> Optional[tuple[str, date]]:
    """The name without the full date of a snapshot, and that date; `None` where there is no real date.

    >>> undated("gpt-4o-2024-08-06")
    ('gpt-4o', datetime.date(2024, 8, 6))
    >>> undated("claude-sonnet-4-5-99990101")
    """
    found = _DATE.search(name)
    day = found and _day(int(found[1]), int(found[3]), int(found[4]))
    return (name[: found.start()], day) if found and day else None


def bases(name: str, provider: str) -> Iterator[tuple[str, Optional[date]]]:
    """The name, then what remains as dates and versions are taken from its end, each with the date so far.

    It stops at the first part that is neither, so that `gemini-2.5-pro-preview-99` has no base.
    """
    released: Optional[date] = None
    while True:
        yield name, released
        found = undated(name) or _month(name, provider) or _without_word(name, provider)
        if found is None:
            return
        name, released = found[0], released or found[1]


def _month(name: str, provider: str) -> Optional[tuple[str, Optional[date]]]:
    """Less than a date: `-09-2025`, `-preview-05-06`, `-2506` (year and month) or `-0813` (month and day)."""
    if provider not in _SHORT_DATES:
        return None
    found = _MONTH_FIRST.search(name)
    if found is not None:
        day = _day(int(found[2]), int(found[1]), 1)
        return (name[: found.start()], day) if day else None
    found = _SHORT.search(name)
    if found is None:
        return None
    first, second = (int(part) for part in found.groups() if part is not None)
    if _day(2024, first, second):  # a leap year: any day may be meant
        return name[: found.start()], None
    day = _day(2000 + first, second, 1) if found[5] and first > 20 else None
    return (name[: found.start()], day) if day else None


def _without_word(name: str, provider: str) -> Optional[tuple[str, Optional[date]]]:
    version = _VERSIONS.get(provider)
    found = _WORD.search(name) or (version.search(name) if version else None)
    return (name[: found.start()], None) if found else None


def _day(year: int, month: int, day: int) -> Optional[date]:
    try:
        return date(year, month, day)
    except ValueError:
        return None
