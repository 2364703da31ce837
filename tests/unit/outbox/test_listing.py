"""What a list says about records in doubt, also when it changes while it is read."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any, Callable
from urllib.parse import parse_qs

import httpx
import pytest

from keito.outbox.record import RecordKind
from keito.outbox.relay.backoff import Backoff
from keito.outbox.relay.listing import PAGE_SIZES, IncompleteListingError, Listing
from keito.outbox.relay.reconcile import reconcile
from keito.outbox.stored import RecordState, StoredRecord

NOW = 1_800_000_000.0


class Server:
    """Lists entries, the newest first, and lets something happen after a page."""

    def __init__(
        self, entries: list[dict[str, Any]], after: dict[int, Callable[[list[Any]], object]] | None = None
    ) -> None:
        self.entries = entries
        self.after = after or {}
        self.queries: list[dict[str, str]] = []
        self.date = formatdate(NOW, usegmt=True)
        self.time_entries = self.mode = self  # as far as a listing looks into a client

    def perform(self, call: Any) -> Any:
        query = {name: values[0] for name, values in parse_qs(call.target.partition("?")[2]).items()}
        self.queries.append(query)
        number, size = int(query["page"]), int(query["per_page"])
        rows = self.entries[(number - 1) * size : number * size]
        body = {
            "time_entries": rows,
            "total_entries": len(self.entries),
            "total_pages": -(-len(self.entries) // size),
        }
        reply = Reply(json.dumps(body).encode(), {"date": self.date})
        self.after.get(len(self.queries), lambda _: None)(self.entries)
        return call.parse(reply)


class Reply:
    def __init__(self, content: bytes, headers: dict[str, str]) -> None:
        self.content = content
        self.headers = httpx.Headers(headers)


def entry(key: str, number: int = 0) -> dict[str, Any]:
    return {
        "id": f"te_{key}_{number}",
        "created_at": f"2026-11-23T10:00:{number:02}Z",
        "metadata": {"keito": {"key": key}},
    }


def record(key: str, **more: Any) -> StoredRecord:
    facts: dict[str, Any] = {
        "key": key,
        "kind": RecordKind.TIME_ENTRY,
        "body": "{}",
        "destination": "here",
        "run_id": None,
        "project_id": "proj_1",
        "spent_date": "2026-11-23",
        "members": (),
        "state": RecordState.UNSURE,
        "attempts": 1,
        "created_at": NOW - 60,
        "changed_at": NOW,
        "not_before": NOW,
        "sent_at": NOW - 30,
        **more,
    }
    return StoredRecord(**facts)


def look(server: Server, *keys: str, now: float = NOW) -> Any:
    records = [record(key) for key in keys]
    return Listing(server, records, time.monotonic() + 10, 5, now).look()  # type: ignore[arg-type]


def test_one_short_page_is_one_moment_and_believed() -> None:
    server = Server([entry("a"), {"id": "te_x", "metadata": None}, {"id": "te_y"}])
    assert look(server, "a", "b") == {"a": ["te_a_0"]}
    [query] = server.queries
    assert query == {
        "project_id": "proj_1",
        "from": "2026-11-23",
        "to": "2026-11-23",
        "source": "agent",
        "updated_since": "2027-01-14T07:59:00Z",
        "page": "1",
        "per_page": "2000",
    }


def test_an_empty_list_is_believed() -> None:
    assert look(Server([]), "a") == {}


def test_of_several_pages_what_is_absent_is_looked_for_twice_with_other_edges() -> None:
    server = Server([entry(f"other-{n}") for n in range(4500)])
    assert look(server, "a") == {}
    assert [query["per_page"] for query in server.queries] == ["2000"] * 3 + ["1993"] * 3


def test_what_is_found_on_several_pages_needs_no_second_look() -> None:
    server = Server([*(entry(f"other-{n}") for n in range(4100)), entry("a")])
    assert look(server, "a") == {"a": ["te_a_0"]}
    assert len(server.queries) == 3


def test_entries_that_are_written_meanwhile_hide_nothing() -> None:
    entries = [entry(f"other-{n}") for n in range(4100)]
    entries[1999] = entry("a")

    def write(rows: list[Any]) -> None:
        rows[:0] = [entry(f"new-{len(rows)}-{n}") for n in range(50)]

    server = Server(entries, dict.fromkeys(range(1, 20), write))
    assert look(server, "a", "b") == {"a": ["te_a_0"]}


def test_a_deletion_that_moves_an_entry_to_a_page_already_read_does_not_make_it_absent() -> None:
    entries = [entry(f"other-{n}") for n in range(4100)]
    entries[PAGE_SIZES[0]] = entry("a")  # the first of the second page

    def delete(rows: list[Any]) -> None:
        del rows[:1]

    assert look(Server(entries, {1: delete}), "a") == {"a": ["te_a_0"]}
    with pytest.raises(IncompleteListingError):
        look(Server(entries, {1: delete}), "a", "b")


def test_a_list_that_loses_entries_while_it_is_read_proves_no_absence() -> None:
    entries = [entry(f"other-{n}") for n in range(6000)]

    def delete(rows: list[Any]) -> None:
        del rows[:10]

    with pytest.raises(IncompleteListingError):
        look(Server(entries, dict.fromkeys(range(1, 20), delete)), "a")


def test_a_list_without_totals_proves_no_absence() -> None:
    class Bare(Server):
        def perform(self, call: Any) -> Any:
            return call.parse(Reply(json.dumps({"time_entries": self.entries}).encode(), {}))

    server = Bare([entry("b")])
    assert look(server, "b") == {"b": ["te_b_0"]}
    with pytest.raises(IncompleteListingError):
        look(server, "a")


def test_a_clock_that_is_wrong_by_days_is_not_asked_what_changed_since() -> None:
    server = Server([entry("a")])
    assert look(server, "a", now=NOW + 3 * 86_400) == {"a": ["te_a_0"]}
    assert ["updated_since" in query for query in server.queries] == [True, False]


def test_a_list_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(IncompleteListingError):
        Listing(Server([]), [record("a")], time.monotonic() - 1, 5, NOW).look()  # type: ignore[arg-type]


def settle(server: Any, *records: StoredRecord) -> Any:
    return reconcile(server, records, deadline=time.monotonic() + 10, timeout=5, now=NOW, backoff=Backoff(), failures=0)


def test_found_is_delivered_and_absent_is_sent_again_at_once() -> None:
    result = settle(Server([entry("a")]), record("a"), record("b"))
    first, second = result.settlements
    assert (first.state, first.api_id) == (RecordState.DELIVERED, "te_a_0")
    assert (second.state, second.delay) == (RecordState.PENDING, 0)
    assert (result.found, result.absent, result.duplicates) == (1, 1, 0)


def test_what_fails_again_and_again_waits_before_it_is_sent_again() -> None:
    [settlement] = settle(Server([]), record("a", attempts=9, status_code=500)).settlements
    assert settlement.delay > 1
    assert settlement.status_code == 500


def test_an_entry_that_is_there_twice_is_delivered_by_the_older_and_said(caplog: Any) -> None:
    result = settle(Server([entry("a", 2), entry("a", 1)]), record("a"))
    [settlement] = result.settlements
    assert settlement.api_id == "te_a_1"
    assert settlement.reason == "duplicate: te_a_1, te_a_2"
    assert result.duplicates == 1
    assert "2 times" in caplog.text


def test_what_cannot_be_asked_for_stays_in_doubt() -> None:
    class Broken(Server):
        def perform(self, call: Any) -> Any:
            raise httpx.ReadError("no")

    result = settle(Broken([]), record("a", status_code=500))
    [settlement] = result.settlements
    assert settlement.state is RecordState.UNSURE
    assert settlement.delay > 0
    assert "no" in settlement.reason
    assert result.is_down
