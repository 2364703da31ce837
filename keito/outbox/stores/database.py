"""What a store needs of a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Row = tuple[Any, ...]


class Transaction(Protocol):
    """Statements that take effect together. Parameters go by name; a list is a parameter, too."""

    def rows(self, sql: str, **values: Any) -> list[Row]:
        """What a query finds."""
        ...

    def run(self, sql: str, **values: Any) -> int:
        """How many rows a statement has changed."""
        ...

    def each(self, sql: str, many: Iterable[Mapping[str, Any]]) -> list[int]:
        """The same for each set of values."""
        ...


class Database(Protocol):
    """A database that any number of threads use, also after a fork."""

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Do something that changes nothing.

        Raises:
            OutboxError: The database cannot be read.
        """
        ...

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Do something in one transaction. It is done again if it could not be committed, so it has no other effect.

        Raises:
            OutboxError: It was not committed.
        """
        ...

    def now(self) -> float:
        """The clock by which all users of this database go."""
        ...

    def has_changed(self) -> bool:
        """Whether another process may have added something since this was asked last. It costs next to nothing."""
        ...

    def announce(self) -> None:
        """Let other processes know that something was added, where they do not see it by themselves."""
        ...

    def close(self) -> None:
        """Let go of connections and files; the next use opens them anew."""
        ...
