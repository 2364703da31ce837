"""What is computed from whole lists, before anybody reads them. Nothing in this module does I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Generic, TypeVar

from keito.core.call import Call
from keito.core.page import Page

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Reading:
    """A list to read to its end, and who takes its pages one by one."""

    first: Call[Page[Any]]
    take: Callable[[Page[Any]], None]


def reading(first: Call[Page[T]], take: Callable[[Page[T]], None]) -> Reading:
    """A reading whose taker fits its list, which the type of `Reading` does not say."""
    return Reading(first, take)


@dataclass(frozen=True)
class Survey(Generic[T_co]):
    """Lists to read one after the other, and what comes out of them."""

    readings: Sequence[Reading]
    result: Callable[[], T_co]
