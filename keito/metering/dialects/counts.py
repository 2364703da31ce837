"""Counts of tokens as they were reported, on their way to `Usage`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import replace
from typing import Any, Optional

from keito.metering.dialects.reading import field, is_missing, members, named, raw_text
from keito.metering.usage import MOST, Usage, quick_usage


class Counts:
    """Reads counts out of one reported usage, and remembers whether any of them makes no sense.

    Args:
        source: The usage as it was reported: a mapping, or an object with attributes.
    """

    def __init__(self, source: object) -> None:
        self.source = named(source)
        self.doubtful = False

    def read(self, *path: str) -> int:
        """The count at `path`; 0 where there is none."""
        return self.whole(field(self.source, *path))

    def whole(self, value: object) -> int:
        """`value` as a count. What can be none is 0 here and makes the usage doubtful; it is never interpreted."""
        if type(value) is int and -MOST < value < MOST:
            return value
        if value is None:
            return 0
        if isinstance(value, float) and value.is_integer() and -MOST < value < MOST:
            return int(value)
        self.doubtful = self.doubtful or not is_missing(value)
        return 0

    def sums(self, taken: object, made: object, total: object = None) -> tuple[int, int]:
        """Input and output. Where one of them is missing, and no total tells that there is none, it is unknown."""
        found = self.whole(taken), self.whole(made)
        if (taken is None or made is None) and total is None and found != (0, 0):
            self.doubtful = True
        return found

    def part(self, *names: str) -> Mapping[str, Any]:
        """The details under the first of `names` that there are any under."""
        for name in names:
            found = field(self.source, name)
            if found is not None:
                return members(found)
        return {}

    def same(self, *values: object) -> int:
        """One count that was reported under several names. Where they contradict each other, it is doubtful."""
        found = 0
        for count in map(self.whole, values):
            self.doubtful = self.doubtful or (found != 0 and count not in {0, found})
            found = found or count
        return found

    def others(self, details: Mapping[str, Any], known: Set[str]) -> set[str]:
        """Names in `details` that are not `known` and count something: they may have a price of their own."""
        further = details.keys() - known
        return {_kind(name) for name in further if _counts(details[name])} if further else set()

    def total(self, path: str, *sums: int) -> int:
        """Which of `sums` is the reported total; the first one, as documented, where none was reported.

        Providers differ in what they include in what, and a total settles it. When it is none of the sums, the
        usage is doubtful, and nothing is guessed.
        """
        return self.one_of(self.read(path), *sums)

    def one_of(self, total: int, *sums: int) -> int:
        """The same for a total that has been read."""
        if total in sums:
            return total
        self.doubtful = self.doubtful or total != 0
        return sums[0]

    def usage(self, other_kinds: Collection[str] = (), **counts: int) -> Optional[Usage]:
        """The usage, with what was reported beside it where it cannot be true; `None` if nothing was counted."""
        found = quick_usage(**counts, other_kinds=tuple(sorted(other_kinds)) if other_kinds else ())  # type: ignore[arg-type]
        if self.doubtful or found.problem is not None:
            return replace(found, raw=raw_text(self.source))
        return found if found.total_tokens else None


def _counts(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value != 0


def _kind(name: object) -> str:
    return str(name)[:64].replace("_tokens", "")
