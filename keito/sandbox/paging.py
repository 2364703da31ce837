"""Pages: the envelope, its relative links and the SQL behind them."""

from __future__ import annotations

import sqlite3
from typing import Any, Callable, Optional
from urllib.parse import urlencode

from keito.sandbox.context import Json, Row
from keito.sandbox.filters import Paging


class Query:
    """A filtered list: conditions are added one by one, then a page is taken.

    Args:
        table: the table that is listed, known as `t` in conditions.
        order: columns, best first, that give the list its fixed order.
    """

    def __init__(self, table: str, order: str) -> None:
        self._table = table
        self._order = order
        self._conditions: list[str] = []
        self._values: list[Any] = []

    def where(self, condition: str, *values: Any) -> None:
        """Add a condition; one whose only value is None, a filter that was not given, is skipped."""
        if values != (None,):
            self._conditions.append(condition)
            self._values.extend(values)

    def one_of(self, column: str, names: Optional[str]) -> None:
        """Add a condition on a comma-separated list of values."""
        if names is not None:
            values = names.split(",")
            self.where(f"{column} IN ({', '.join('?' * len(values))})", *values)

    def count(self, db: sqlite3.Connection) -> int:
        """How many rows the list has."""
        (total,) = db.execute(f"SELECT COUNT(*) FROM {self._table} t {self._clause()}", self._values).fetchone()  # noqa: S608
        return int(total)

    def rows(self, db: sqlite3.Connection, select: str, limit: int, offset: int) -> list[Row]:
        """A page of rows.

        The inner statement finds the rows on the list's index alone; only those of the page are then read and joined.
        """
        inner = f"SELECT t.no FROM {self._table} t {self._clause()} ORDER BY {self._order} LIMIT ? OFFSET ?"  # noqa: S608
        statement = f"{select} WHERE t.no IN ({inner}) ORDER BY {self._order}"
        cursor = db.execute(statement, (*self._values, limit, offset))
        # A sqlite3.Row looks a column up by comparing names one by one: a third of the time of a long page.
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor]

    def _clause(self) -> str:
        return "WHERE " + " AND ".join(self._conditions) if self._conditions else ""


def page_of(
    db: sqlite3.Connection, query: Query, select: str, name: str, paging: Paging, path: str, show: Callable[[Row], Json]
) -> Json:
    """The answer to a list request: the envelope with one page in it."""
    total = query.count(db)
    offset = (paging.page - 1) * paging.per_page
    rows = query.rows(db, select, paging.per_page, offset) if offset < total else []
    return envelope(name, [show(row) for row in rows], total, paging, path)


def envelope(name: str, items: list[Json], total: int, paging: Paging, path: str) -> Json:
    """The fields that every list has; an empty list has 0 pages, and page 1 is still its first and last."""
    pages = -(-total // paging.per_page)
    last, page = max(pages, 1), paging.page
    return {
        name: items,
        "per_page": paging.per_page,
        "total_pages": pages,
        "total_entries": total,
        "page": page,
        "links": {
            "first": link(path, paging, 1),
            "next": link(path, paging, page + 1) if page < pages else None,
            "previous": link(path, paging, min(page - 1, last)) if page > 1 else None,
            "last": link(path, paging, last),
        },
    }


def link(path: str, paging: Paging, page: int) -> str:
    """A relative URL that carries the other filters of the request."""
    sent = paging.model_dump(by_alias=True, exclude_none=True, exclude={"page", "per_page"})
    filters = {name: _text(value) for name, value in sent.items()}
    return f"/api/v2{path}?" + urlencode({"page": page, **filters, "per_page": paging.per_page})


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
