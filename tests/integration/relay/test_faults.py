"""Whatever happens to a request, its record is on Keito once in the end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keito.outbox import FlushReport
from keito.outbox.stored import RecordState

LOSSES = {
    "closed before it is handled": {"action": "drop_before", "times": 3},
    "closed after it is committed": {"action": "drop_after", "times": 3},
    "half an answer": {"action": "truncate", "times": 3},
    "an answer that takes too long": {"action": "drip", "seconds": 0.2, "times": 2},
    "committed long after the client gave up": {"action": "delay", "seconds": 0.8, "times": 2},
    "500 of the application": {"action": "status", "status": 500, "times": 3},
    "502 of a gateway": {"action": "status", "status": 502, "body": "<html>Bad gateway</html>", "times": 2},
    "503 with a pause": {"action": "status", "status": 503, "headers": {"Retry-After": "1"}, "times": 2},
    "429 with a pause": {"action": "status", "status": 429, "headers": {"Retry-After": "1"}, "times": 2},
    "408 of the server": {"action": "status", "status": 408, "times": 1},
    "an answer without an id": {"action": "status", "status": 200, "body": {"hours": 1}, "times": 2},
    "an answer that is no JSON": {"action": "status", "status": 200, "body": "<html>welcome</html>", "times": 1},
    "a redirect": {"action": "status", "status": 302, "headers": {"Location": "http://127.0.0.1:1/"}, "times": 1},
}


@pytest.mark.parametrize("idempotency", [True, False], ids=["keys honoured", "keys ignored"])
@pytest.mark.parametrize("fault", LOSSES.values(), ids=LOSSES)
def test_a_record_is_there_exactly_once_after(
    fault: dict[str, Any], idempotency: bool, make: Any, records: Any, books: Any, keito_sandbox: Any
) -> None:
    keito_sandbox.configure(idempotency=idempotency)
    keito_sandbox.faults.add(**{"method": "POST", **fault})
    # A server may commit long after the client gave up: so long must be waited before it is asked.
    delivery, wanted = make(timeout=0.5, quiet=1.3 if fault["action"] == "delay" else 0.3), records(12)
    delivery.deliver(wanted)
    assert delivery.flush(20) == FlushReport(delivered=12)
    assert books.has_exactly(wanted)


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_what_an_operator_can_put_right_is_held_and_sent_after_that(
    status: int, make: Any, records: Any, books: Any, keito_sandbox: Any
) -> None:
    fault = keito_sandbox.faults
    fault.add("status", status=status, method="POST", times=0)
    delivery, wanted = make(), records(3)
    delivery.deliver(wanted)
    report = delivery.flush(3)
    assert report.held >= 1
    assert report.held + report.pending == 3
    assert not books.keys()

    fault.clear()
    assert delivery.flush(10) == FlushReport(delivered=3)
    assert books.has_exactly(wanted)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_refused_for_good_is_dead_with_the_reason_and_holds_nobody_up(
    status: int, make: Any, records: Any, books: Any, store: Any, keito_sandbox: Any
) -> None:
    keito_sandbox.faults.add(
        "status", status=status, body={"error": "bad request", "error_description": "no!"}, method="POST"
    )
    delivery = make(concurrency=1)
    delivery.deliver(records(4))
    assert delivery.flush(10) == FlushReport(delivered=3, dead=1)
    [dead] = store.find(states=[RecordState.DEAD])
    assert dead.status_code == status
    assert "no!" in dead.reason
    assert sum(books.keys().values()) == 3


def test_a_conflict_is_asked_for_before_it_counts(make: Any, records: Any, books: Any, keito_sandbox: Any) -> None:
    keito_sandbox.faults.add("status", status=409, method="POST")
    delivery, wanted = make(), records(2)
    delivery.deliver(wanted)
    assert delivery.flush(10) == FlushReport(delivered=2)
    assert books.has_exactly(wanted)


def test_a_second_conflict_is_the_end_of_a_record_that_is_not_there(
    make: Any, records: Any, store: Any, keito_sandbox: Any
) -> None:
    keito_sandbox.faults.add("status", status=409, method="POST", times=2)
    delivery = make()
    delivery.deliver(records(1))
    assert delivery.flush(10) == FlushReport(dead=1)
    assert [request["method"] for request in keito_sandbox.requests()] == ["POST", "GET", "POST"]
    assert store.find(states=[RecordState.DEAD])[0].status_code == 409


def test_the_bytes_of_a_record_are_the_same_each_time(make: Any, records: Any, keito_sandbox: Any, store: Any) -> None:
    keito_sandbox.faults.add("drop_before", method="POST", times=1)
    delivery = make()
    delivery.deliver(records(1))
    assert delivery.flush(10).complete
    first, second = keito_sandbox.requests("POST", "/api/v2/time_entries")
    assert first["body"] == second["body"]
    assert json.loads(store.find(key="run-0")[0].body)["hours"] == 0.25
    assert first["headers"]["idempotency-key"] == second["headers"]["idempotency-key"] == "run-0"


@pytest.mark.parametrize("asked", ["1e12", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"])
@pytest.mark.parametrize("status", [429, 503])
def test_one_wrong_header_does_not_stop_the_bills_for_years(
    status: int, asked: str, make: Any, records: Any, store: Any, until: Any, keito_sandbox: Any
) -> None:
    keito_sandbox.faults.add("status", method="POST", status=status, headers={"Retry-After": asked}, times=1)
    delivery = make(timeout=0.5, quiet=0.3)
    delivery.deliver(records(1))
    until(lambda: store.paused(delivery.destination))
    delivery.flush(1)
    assert 3500 < store.paused(delivery.destination) <= 3600
    (refused,) = store.find(key="run-0")
    assert refused.not_before - store.now() <= 3600
