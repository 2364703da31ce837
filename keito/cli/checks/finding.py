"""What a check has found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Optional

from keito.cli.explain import explain
from keito.core.errors import KeitoError


class Level(str, Enum):
    """How bad it is. Only a problem changes the exit status."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: What was looked at.
        level: How bad it is.
        text: What was found.
        advice: What to do about it.
    """

    check: str
    level: Level
    text: str
    advice: Optional[str] = None


def ok(check: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(check, Level.OK, text)


def warning(check: str, text: str, advice: str) -> Finding:
    """It may be as somebody wants it."""
    return Finding(check, Level.WARNING, text, advice)


def problem(check: str, text: str, advice: Optional[str] = None) -> Finding:
    """It keeps something from being billed, or bills it wrongly."""
    return Finding(check, Level.PROBLEM, text, advice)


def guarded(check: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings of a check; where it fails, that is one."""
    try:
        yield from findings
    except (KeitoError, OSError) as error:
        yield problem(check, *explain(error))
