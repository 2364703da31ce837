"""When a call is sent again, and after how long."""

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest

from keito import (
    KeitoApiError,
    KeitoConflictError,
    KeitoConnectionError,
    KeitoNotFoundError,
    KeitoRateLimitError,
    KeitoServerError,
)

RETRIED = [408, 429, 500, 502, 503, 504]
NOT_RETRIED = [400, 401, 402, 403, 404, 405, 409, 410, 413, 422, 451, 501, 505, 507]


@pytest.fixture
def entry(keito_sandbox: Any, entry_fields: "dict[str, Any]") -> None:
    keito_sandbox.seed(entries=[{**entry_fields, "id": "te_1", "hours": 1}])


REPEATABLE: Any = {
    "GET": lambda client: client.users.me(),
    "list": lambda client: list(client.time_entries.list()),
    "PATCH": lambda client: client.time_entries.update("te_1", notes="n"),
    "stop": lambda client: client.clients.update("cli_acme", name="n"),
    "DELETE": lambda client: client.time_entries.delete("te_1"),
}


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize("status", RETRIED)
@pytest.mark.parametrize("name", REPEATABLE)
def test_what_may_be_repeated_is(client: Any, keito_sandbox: Any, waits: "list[float]", name: str, status: int) -> None:
    keito_sandbox.faults.add("status", status=status, times=2)
    REPEATABLE[name](client)
    assert [request["status"] for request in keito_sandbox.requests()][:2] == [status, status]
    assert len(keito_sandbox.requests()) == 3
    assert 0.5 <= waits[0] <= 0.625
    assert 1.0 <= waits[1] <= 1.25


@pytest.mark.parametrize("status", NOT_RETRIED)
def test_other_refusals_are_final(client: Any, keito_sandbox: Any, waits: "list[float]", status: int) -> None:
    keito_sandbox.faults.add("status", status=status, times=0)
    with pytest.raises(KeitoApiError) as caught:
        client.users.me()
    assert caught.value.status_code == status
    assert len(keito_sandbox.requests()) == 1
    assert waits == []


ONCE: Any = {
    "POST": lambda client: client.clients.create(name="n"),
    "restart": lambda client: client.time_entries.restart("te_1"),
    "outcome": lambda client: client.outcomes.log(
        project_id="proj_support", task_id="task_tickets", spent_date="2026-03-05", outcome_type="x"
    ),
    "message": lambda client: client.invoices.messages.create("i", recipients=[{"name": "n", "email": "e@x.example"}]),
}


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize("status", RETRIED)
@pytest.mark.parametrize("name", ONCE)
def test_what_may_not_be_repeated_is_sent_once(
    client: Any, keito_sandbox: Any, waits: "list[float]", name: str, status: int
) -> None:
    keito_sandbox.faults.add("status", status=status, headers={"Retry-After": "1"})
    with pytest.raises(KeitoApiError):
        ONCE[name](client)
    assert len(keito_sandbox.requests()) == 1
    assert waits == []


@pytest.mark.parametrize("status", RETRIED)
def test_a_post_with_a_key_is_repeated(
    client: Any, keito_sandbox: Any, waits: "list[float]", status: int, entry_fields: "dict[str, Any]"
) -> None:
    keito_sandbox.faults.add("status", status=status, times=2)
    client.time_entries.create(**entry_fields, request_options={"idempotency_key": "k"})
    assert len(keito_sandbox.requests("POST")) == 3
    assert len(waits) == 2


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_max_retries_of_the_client_and_of_a_call(
    connect: Any, keito_sandbox: Any, waits: "list[float]", retries: int
) -> None:
    keito_sandbox.faults.add("status", status=500, times=0)
    for client, options in ((connect(max_retries=retries), None), (connect(max_retries=9), {"max_retries": retries})):
        with pytest.raises(KeitoServerError):
            client.users.me(request_options=options)
        assert len(waits) == retries
        assert len(keito_sandbox.requests()) == retries + 1
        waits.clear()
        keito_sandbox.reset()
        keito_sandbox.faults.add("status", status=500, times=0)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("header", "seconds"), [("0", 0), ("7", 7), ("2.5", 2.5), ("60", 60)])
def test_retry_after_is_obeyed(
    client: Any, keito_sandbox: Any, waits: "list[float]", status: int, header: str, seconds: float
) -> None:
    keito_sandbox.faults.add("status", status=status, headers={"Retry-After": header})
    client.users.me()
    assert waits == [seconds]


def test_retry_after_may_be_a_date(client: Any, keito_sandbox: Any, waits: "list[float]") -> None:
    moment = datetime.now(timezone.utc) + timedelta(seconds=30)
    keito_sandbox.faults.add("status", status=503, headers={"Retry-After": format_datetime(moment, usegmt=True)})
    client.users.me()
    assert 25 <= waits[0] <= 31


def test_a_date_is_measured_by_the_clock_of_the_server(
    connect: Any, server: Any, acts: Any, waits: "list[float]"
) -> None:
    headers = b"Date: Thu, 05 Mar 2026 10:00:00 GMT\r\nRetry-After: Thu, 05 Mar 2026 10:00:20 GMT\r\n"
    server.acts(acts.answer(b"", 429, headers), acts.answer(b'{"id": "u"}'))
    connect(server.url).users.me()
    assert waits == [20]


@pytest.mark.parametrize(
    "header",
    [
        "soon",
        "-5",
        "nan",
        "inf",
        "-inf",
        "",
        "1e400",
        "Thu, 05 Mar 2015 10:00:00 GMT",
        "12:00",
        "Thu, 99 Foo 2026",
        "٣",
    ],
)
def test_nonsense_backs_off(connect: Any, server: Any, acts: Any, waits: "list[float]", header: str) -> None:
    line = b"Retry-After: %b\r\n" % header.encode()
    server.acts(acts.answer(b"", 429, line), acts.answer(b'{"id": "u"}'))
    connect(server.url).users.me()
    assert len(waits) == 1
    assert waits[0] <= 3.0


@pytest.mark.parametrize(
    ("header", "least"),
    [("61", 61), ("86400", 86400), ("1e9", 1e9), ("Thu, 01 Jan 2099 00:00:00 GMT", 1e9)],
)
def test_who_asks_for_too_much_gets_an_error_at_once(
    client: Any, keito_sandbox: Any, waits: "list[float]", header: str, least: float
) -> None:
    keito_sandbox.faults.add("status", status=429, headers={"Retry-After": header})
    with pytest.raises(KeitoRateLimitError) as caught:
        client.users.me()
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= least
    assert waits == []


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_retry_after_counts_on_429_and_503_only(
    client: Any, keito_sandbox: Any, waits: "list[float]", status: int
) -> None:
    keito_sandbox.faults.add("status", status=status, headers={"Retry-After": "50"})
    client.users.me()
    assert waits[0] < 1


def test_retry_after_of_the_last_attempt_is_on_the_error(client: Any, keito_sandbox: Any, waits: "list[float]") -> None:
    keito_sandbox.faults.add("status", status=429, headers={"Retry-After": "7"}, times=0)
    with pytest.raises(KeitoRateLimitError) as caught:
        client.users.me()
    assert caught.value.retry_after == 7
    assert waits == [7, 7]


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize("action", ["drop_after", "truncate"])
def test_a_delete_whose_answer_was_lost_succeeded(
    client: Any, keito_sandbox: Any, waits: "list[float]", action: str
) -> None:
    keito_sandbox.faults.add(action, method="DELETE")
    client.time_entries.delete("te_1")
    assert [request["status"] for request in keito_sandbox.requests("DELETE")][-1] == 404


def test_an_invoice_whose_deletion_was_lost_is_deleted(client: Any, keito_sandbox: Any, waits: "list[float]") -> None:
    keito_sandbox.seed(invoices=[{"id": "inv_1", "number": "INV-2026-0999", "issue_date": "2026-03-05"}])
    keito_sandbox.faults.add("drop_after", method="DELETE")
    assert client.invoices.delete("inv_1") == {"id": "inv_1", "deleted": True}


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_404_after_a_failure_of_the_server_is_a_success(
    client: Any, keito_sandbox: Any, waits: "list[float]", status: int
) -> None:
    keito_sandbox.faults.add("status", method="DELETE", status=status)
    assert client.time_entries.delete("te_gone") is None


def test_a_404_at_first_is_an_error(client: Any, waits: "list[float]") -> None:
    with pytest.raises(KeitoNotFoundError):
        client.time_entries.delete("te_gone")


def test_a_404_after_a_429_is_an_error(client: Any, keito_sandbox: Any, waits: "list[float]") -> None:
    keito_sandbox.faults.add("status", method="DELETE", status=429, times=2)
    with pytest.raises(KeitoNotFoundError):
        client.time_entries.delete("te_gone")
    assert len(waits) == 2


def test_a_404_after_a_429_after_a_loss_is_a_success(client: Any, keito_sandbox: Any, waits: "list[float]") -> None:
    keito_sandbox.faults.add("drop_before", method="DELETE")
    keito_sandbox.faults.add("status", method="DELETE", status=429)
    assert client.time_entries.delete("te_gone") is None


def test_a_404_of_another_method_stays_an_error(client: Any, keito_sandbox: Any, waits: "list[float]") -> None:
    keito_sandbox.faults.add("drop_before", method="PATCH")
    with pytest.raises(KeitoNotFoundError):
        client.time_entries.update("te_gone", notes="n")


def test_a_retry_may_end_with_another_error(client: Any, keito_sandbox: Any, waits: "list[float]") -> None:
    keito_sandbox.faults.add("drop_after")
    keito_sandbox.faults.add("status", status=409)
    with pytest.raises(KeitoConflictError):
        client.users.me()


def test_transport_failures_and_statuses_share_the_retries(
    client: Any, keito_sandbox: Any, waits: "list[float]"
) -> None:
    keito_sandbox.faults.add("drop_before")
    keito_sandbox.faults.add("status", status=502)
    keito_sandbox.faults.add("truncate")
    with pytest.raises(KeitoConnectionError):
        client.users.me()
    assert len(keito_sandbox.requests()) == 3


def test_a_rate_limit_is_waited_for(connect: Any, keito_sandbox: Any, waits: "list[float]") -> None:
    keito_sandbox.configure(rate_limit=1)
    client = connect(max_retries=1)
    client.users.me()
    with pytest.raises(KeitoRateLimitError) as caught:
        client.users.me()
    assert caught.value.retry_after is not None
    assert 0 < waits[0] <= 60
