"""What Keito has of one project and day, looked through for the keys of records."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Optional, cast

from keito.outbox.relay.attempt import path_of
from keito.outbox.stored import StoredRecord

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.core.reply import Reply

PAGE_SIZES = (2000, 1993)
"""The largest page; and for a second look another one, so that no entry lies on the edge of a page both times."""

_LOOKBACK = timedelta(hours=24)
"""How far before a record's birth the listing begins: clocks differ."""

_LARGEST_SKEW = timedelta(hours=12)
"""A clock that is off by more says nothing about when the API changed something."""


class IncompleteListingError(Exception):
    """The list changed while it was read, so that an entry may have been overlooked."""


@dataclass(frozen=True)
class Found:
    """What one reading of the list found.

    Attributes:
        ids: Ids of entries by the key of their record, oldest first.
        complete: Whether everything was seen that was there at the beginning.
        at_once: Whether all of it came in one answer, so that nothing can have moved meanwhile.
    """

    ids: Mapping[str, Sequence[str]]
    complete: bool
    at_once: bool


@dataclass(frozen=True)
class _Page:
    rows: Sequence[Mapping[str, Any]]
    total_pages: int
    total_entries: Optional[int]
    skewed: bool


@dataclass(frozen=True)
class Listing:
    """Lists the entries of records that are all of one project, day and resource.

    Attributes:
        client: Asks for them.
        records: Which ones are wanted.
        deadline: When to give up, by `time.monotonic()`.
        timeout: Seconds that one page may take.
        now: The present moment, by the clock that the records' moments come from.
    """

    client: Keito
    records: Sequence[StoredRecord]
    deadline: float
    timeout: float
    now: float

    def look(self) -> Mapping[str, Sequence[str]]:
        """Find the entries: their ids by key, oldest first. What has no key there is not on Keito.

        Of several pages, each is a moment of its own: an entry that is deleted meanwhile moves others to a page that
        was read already. So they are read twice before anything counts as absent.

        Raises:
            IncompleteListingError: It kept changing, or took too long.
            KeitoError: It could not be read.
        """
        first = self._read(PAGE_SIZES[0])
        if first.at_once or self._has_all(first.ids):
            return first.ids
        second = self._read(PAGE_SIZES[1])
        ids = {key: _together(first, second, key) for key in {**first.ids, **second.ids}}
        if not (first.complete and second.complete) and not self._has_all(ids):
            raise IncompleteListingError("the list changed while it was read")
        return ids

    def _has_all(self, ids: Mapping[str, Sequence[str]]) -> bool:
        return all(record.key in ids for record in self.records)

    def _read(self, size: int) -> Found:
        wanted = {record.key for record in self.records}
        seen: set[str] = set()
        found: dict[str, dict[str, str]] = {}
        pages = list_sizes = 0
        announced: Optional[int] = None
        for page in self._pages(size):
            pages, list_sizes = pages + 1, list_sizes + len(page.rows)
            announced = page.total_entries if pages == 1 else announced
            for row in page.rows:
                seen.add(str(row.get("id")))
                key = key_of(row)
                if key in wanted:
                    found.setdefault(key, {})[str(row.get("id"))] = str(row.get("created_at"))
        complete = announced is not None and len(seen) >= announced
        ids = {key: sorted(born, key=born.__getitem__) for key, born in found.items()}
        return Found(ids, complete, at_once=complete and pages == 1 and list_sizes == announced)

    def _pages(self, size: int) -> Iterator[_Page]:
        query, number = {**self._query(), "per_page": str(size)}, 1
        while True:
            page = self._page({**query, "page": str(number)})
            if page.skewed and query.pop("updated_since", ""):
                continue
            yield page
            # An empty page ends the list whatever the totals say.
            if not page.rows or number >= page.total_pages:
                return
            number += 1

    def _query(self) -> dict[str, str]:
        one = self.records[0]
        born = min(min(record.created_at, record.sent_at or record.created_at) for record in self.records)
        since = datetime.fromtimestamp(born, timezone.utc) - _LOOKBACK
        return {
            "project_id": one.project_id,
            "from": one.spent_date,
            "to": one.spent_date,
            "source": "agent",
            "updated_since": since.isoformat(timespec="seconds").replace("+00:00", "Z"),
        }

    def _page(self, query: Mapping[str, str]) -> _Page:
        from keito.core.call import Call  # noqa: PLC0415 - brings httpx along

        left = self.deadline - time.monotonic()
        if left <= 0:
            raise IncompleteListingError("the list is too long for the time there is")
        call = Call("GET", path_of(self.records[0].kind), self._page_of, query=query)
        return self.client.time_entries.mode.perform(
            replace(call, options={"timeout": min(self.timeout, left), "max_retries": 0})
        )

    def _page_of(self, reply: Reply) -> _Page:
        name = path_of(self.records[0].kind).strip("/")
        answer = _object(json.loads(reply.content))
        if not isinstance(answer.get(name), list):
            raise ValueError(f"the answer has no {name}")
        skewed = _is_skewed(reply.headers.get("date", ""), self.now)
        return _Page(answer[name], answer.get("total_pages") or 1, answer.get("total_entries"), skewed)


def key_of(row: Mapping[str, Any]) -> Optional[str]:
    """The key of the record that an entry was made from."""
    key = _object(_object(row.get("metadata")).get("keito")).get("key")
    return key if isinstance(key, str) else None


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _together(first: Found, second: Found, key: str) -> Sequence[str]:
    return list(dict.fromkeys([*first.ids.get(key, ()), *second.ids.get(key, ())]))


def _is_skewed(date: str, now: float) -> bool:
    try:
        moment = parsedate_to_datetime(date)
    except (TypeError, ValueError, IndexError, OverflowError):
        return False
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return abs(moment - datetime.fromtimestamp(now, timezone.utc)) > _LARGEST_SKEW
