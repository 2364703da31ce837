"""Records in doubt are asked for, on a Keito that does not honour keys."""

from __future__ import annotations

from typing import Any

import pytest

from keito.outbox import FlushReport
from keito.outbox.stored import RecordState


@pytest.fixture(autouse=True)
def keys_ignored(keito_sandbox: Any) -> None:
    keito_sandbox.configure(idempotency=False)


def test_a_day_of_several_pages_that_grows_while_it_is_read(
    make: Any, records: Any, books: Any, keito_sandbox: Any, until: Any
) -> None:
    wanted = records(3400)  # 2,267 time entries of one day: two pages
    delivery = make(timeout=5.0)
    delivery.deliver(wanted[:3300])
    until(lambda: len(keito_sandbox.requests("POST")) >= 900, 60)
    for action in ("drop_after", "drop_before"):
        keito_sandbox.faults.add(action, method="POST", path="/time_entries", times=15)
    until(lambda: not keito_sandbox.faults.pending(), 60)
    delivery.deliver(wanted[3300:])
    assert delivery.flush(60) == FlushReport(delivered=3400)
    assert books.has_exactly(wanted)


def test_one_listing_answers_for_all_records_of_a_project_and_day(
    make: Any, records: Any, books: Any, keito_sandbox: Any
) -> None:
    keito_sandbox.faults.add("drop_after", method="POST", path="/time_entries", times=8)
    delivery, wanted = make(quiet=1.0), [each for each in records(12) if each.kind == "time_entry"]
    delivery.deliver(wanted)
    assert delivery.flush(10).complete
    assert len(keito_sandbox.requests("GET")) <= 2
    assert books.has_exactly(wanted)


@pytest.mark.parametrize(
    "fault", [{"action": "status", "status": 500}, {"action": "drop_before"}, {"action": "truncate"}], ids=str
)
def test_what_cannot_be_asked_for_stays_in_doubt_until_it_can(
    fault: dict[str, Any], make: Any, records: Any, books: Any, keito_sandbox: Any
) -> None:
    keito_sandbox.faults.add("drop_after", method="POST", times=1)
    keito_sandbox.faults.add(**fault, method="GET", times=2)
    delivery, wanted = make(), records(1)
    delivery.deliver(wanted)
    assert delivery.flush(15) == FlushReport(delivered=1)
    assert len(keito_sandbox.requests("POST")) == 1
    assert books.has_exactly(wanted)


def test_an_entry_that_is_there_twice_is_said_and_left_alone(
    make: Any, records: Any, books: Any, store: Any, keito_client: Any, keito_sandbox: Any, caplog: Any
) -> None:
    [record] = records(1)
    ids = [keito_client.time_entries.create(**record.body).id for _ in range(2)]
    keito_sandbox.faults.add("drop_before", method="POST")
    delivery = make()
    delivery.deliver([record])
    assert delivery.flush(10) == FlushReport(delivered=1)
    [stored] = store.find(key=record.key)
    assert stored.state is RecordState.DELIVERED
    assert stored.api_id in ids
    assert stored.reason.startswith("duplicate: ")
    assert all(id_ in stored.reason for id_ in ids)
    assert books.keys()[record.key] == 2
    assert "2 times" in caplog.text


def test_projects_and_days_are_asked_for_each_by_itself(
    make: Any, records: Any, books: Any, keito_sandbox: Any, keito_client: Any
) -> None:
    client = keito_client.clients.create(name="Second client")
    project = keito_client.projects.create(client_id=client.id, name="Second", task_ids=[keito_sandbox.task_id])
    wanted = [
        *records(3, "a"),
        *records(3, "b", spent_date="2026-11-22"),
        *records(3, "c", project_id=project.id),
    ]
    keito_sandbox.faults.add("drop_after", method="POST", times=5)
    keito_sandbox.faults.add("drop_before", method="POST", times=4)
    delivery = make()
    delivery.deliver(wanted)
    assert delivery.flush(20) == FlushReport(delivered=9)
    assert books.has_exactly(wanted)
