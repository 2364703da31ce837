import logging
import threading
import time
from types import SimpleNamespace
from typing import Any, Callable, Optional

import pytest

from keito import (
    KeitoApiError,
    KeitoAuthError,
    KeitoConnectionError,
    KeitoRateLimitError,
    KeitoServerError,
    KeitoTimeoutError,
)
from keito.outbox import BillingRecord, DirectDelivery, FlushReport, RecordKind

UNREACHABLE = KeitoConnectionError("no connection", sent=False)


class Resource:
    """Answers each post with the next of `answers`; an exception is raised, and after the last all succeed."""

    def __init__(self) -> None:
        self.answers: list[Optional[BaseException]] = []
        self.posted: list[str] = []
        self.options: list[dict[str, Any]] = []

    def create(self, *, request_options: dict[str, Any], **body: Any) -> None:
        self.posted.append(request_options["idempotency_key"])
        self.options.append(request_options)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer


class Client:
    def __init__(self) -> None:
        self.time_entries = Resource()
        self.expenses = Resource()


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def delivery(client: Client) -> DirectDelivery:
    return DirectDelivery(client, timeout=3)  # type: ignore[arg-type]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """Time that passes only by sleeping."""
    now = [100.0]
    # In that module only: the event loops of other threads live by the real clock.
    frozen = SimpleNamespace(
        monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + max(seconds, 0.001))
    )
    monkeypatch.setattr("keito.outbox.direct.time", frozen)
    return lambda: now[0]


def record(number: int = 0, kind: RecordKind = RecordKind.TIME_ENTRY) -> BillingRecord:
    return BillingRecord(f"run-{number}", kind, {"project_id": "p", "metadata": {"keito": {"key": f"run-{number}"}}})


def test_each_kind_goes_to_its_endpoint_once_under_its_key(client: Client, delivery: DirectDelivery) -> None:
    delivery.deliver([record(1), record(2, RecordKind.OUTCOME), record(3, RecordKind.EXPENSE)])
    assert client.time_entries.posted == ["run-1", "run-2"]
    assert client.expenses.posted == ["run-3"]
    assert client.expenses.options == [{"idempotency_key": "run-3", "max_retries": 0, "timeout": 3}]
    assert delivery.flush() == FlushReport(delivered=3)
    assert delivery.flush().complete


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (KeitoAuthError(), "held"),
        (KeitoApiError(status_code=402), "held"),
        (KeitoApiError(status_code=413), "dead"),
        (KeitoServerError(), "unsure"),
        (KeitoTimeoutError(), "unsure"),
        (UNREACHABLE, "pending"),
        (RuntimeError("a bug of ours"), "unsure"),
    ],
)
def test_a_failure_never_reaches_the_agent_and_is_counted_and_said(
    client: Client, delivery: DirectDelivery, caplog: pytest.LogCaptureFixture, error: Exception, where: str
) -> None:
    client.time_entries.answers = [error]
    delivery.deliver([record()])
    report = delivery.report()
    assert getattr(report, where) == 1
    assert report.delivered == 0
    assert not report.complete
    assert where in caplog.text
    assert "run-0" in caplog.text


@pytest.mark.parametrize("error", [KeitoTimeoutError(), KeitoConnectionError(), KeitoServerError()])
def test_what_may_have_arrived_is_never_sent_again(client: Client, delivery: DirectDelivery, error: Exception) -> None:
    client.time_entries.answers = [error]
    delivery.deliver([record()])
    assert delivery.flush(5) == FlushReport(unsure=1)
    delivery.deliver([record()])
    assert client.time_entries.posted == ["run-0"]


def test_what_is_refused_for_good_is_kept_and_not_sent_again(client: Client, delivery: DirectDelivery) -> None:
    client.time_entries.answers = [KeitoApiError(status_code=422)]
    delivery.deliver([record(1), record(2)])
    assert delivery.flush(5) == FlushReport(delivered=1, dead=1)
    assert client.time_entries.posted == ["run-1", "run-2"]


def test_a_flush_sends_what_is_pending_or_held_under_the_same_key(client: Client, delivery: DirectDelivery) -> None:
    client.time_entries.answers = [KeitoAuthError(), UNREACHABLE]
    delivery.deliver([record(1), record(2)])
    assert delivery.report() == FlushReport(held=1, pending=1)
    assert delivery.flush() == FlushReport(delivered=2)
    assert client.time_entries.posted == ["run-1", "run-2", "run-1", "run-2"]


def test_when_nobody_answers_the_agent_waits_for_one_record_only(client: Client, delivery: DirectDelivery) -> None:
    client.time_entries.answers = [KeitoTimeoutError()]
    delivery.deliver([record(1), record(2), record(3, RecordKind.EXPENSE)])
    assert delivery.report() == FlushReport(unsure=1, pending=2)
    assert delivery.flush() == FlushReport(delivered=2, unsure=1)


def test_a_flush_tries_again_until_its_deadline(
    client: Client, delivery: DirectDelivery, clock: Callable[[], float]
) -> None:
    client.time_entries.answers = [UNREACHABLE] * 1000
    delivery.deliver([record()])
    start = clock()
    assert delivery.flush(10) == FlushReport(pending=1)
    assert len(client.time_entries.posted) > 3
    assert clock() - start <= 10
    client.time_entries.answers = [UNREACHABLE]
    assert delivery.flush(10).complete


def test_a_flush_waits_as_long_as_the_server_asks_and_no_longer_than_it_may(
    client: Client, delivery: DirectDelivery, clock: Callable[[], float]
) -> None:
    client.time_entries.answers = [KeitoRateLimitError(retry_after=30)]
    delivery.deliver([record()])
    assert delivery.flush(5) == FlushReport(held=1)
    assert len(client.time_entries.posted) == 1
    start = clock()
    assert delivery.flush(60).complete
    assert clock() - start == pytest.approx(30)


@pytest.mark.parametrize("timeout", [0.5, 2, 5, 10, 60])
def test_a_flush_reaches_a_server_that_comes_back_shortly_before_its_end(
    client: Client, delivery: DirectDelivery, clock: Callable[[], float], timeout: float
) -> None:
    client.time_entries.answers = [UNREACHABLE]
    delivery.deliver([record()])
    start, create = clock(), client.time_entries.create

    def down_for_a_while(**arguments: Any) -> None:
        client.time_entries.answers = [UNREACHABLE] if clock() - start < timeout - 1.5 * min(1, timeout / 2) else []
        create(**arguments)

    client.time_entries.create = down_for_a_while  # type: ignore[method-assign]
    assert delivery.flush(timeout) == FlushReport(delivered=1)
    assert clock() - start < timeout


@pytest.mark.parametrize("timeout", [0.0, 0.04, 0.5, 5, 60])
def test_a_flush_never_takes_longer_than_it_may_and_leaves_the_last_attempt_time_to_be_answered(
    client: Client, delivery: DirectDelivery, clock: Callable[[], float], timeout: float
) -> None:
    client.time_entries.answers = [UNREACHABLE] * 1000
    delivery.deliver([record()])
    start = clock()
    assert delivery.flush(timeout) == FlushReport(pending=1)
    assert clock() - start <= timeout
    assert all(options["timeout"] >= min(1, timeout / 2) for options in client.time_entries.options)


def test_a_record_that_the_server_puts_off_holds_up_no_other(
    client: Client, delivery: DirectDelivery, clock: Callable[[], float]
) -> None:
    client.time_entries.answers = [KeitoRateLimitError(retry_after=30), UNREACHABLE, UNREACHABLE]
    delivery.deliver([record(1), record(2)])
    assert delivery.flush(10) == FlushReport(delivered=1, held=1)
    assert client.time_entries.posted == ["run-1", "run-2", "run-2", "run-2"]


def test_a_held_record_is_sent_once_in_a_flush(
    client: Client, delivery: DirectDelivery, clock: Callable[[], float]
) -> None:
    client.time_entries.answers = [KeitoAuthError(), KeitoAuthError()]
    delivery.deliver([record()])
    start = clock()
    assert delivery.flush(10) == FlushReport(held=1)
    assert clock() == start
    assert len(client.time_entries.posted) == 2


def test_memory_is_bounded_and_what_leaves_it_is_said_whole(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    delivery = DirectDelivery(client, keep=2)  # type: ignore[arg-type]
    client.time_entries.answers = [UNREACHABLE] * 3
    for number in range(3):
        delivery.deliver([record(number)])
    assert delivery.report() == FlushReport(pending=2, dropped=1)
    assert not delivery.report().complete
    (line,) = [line for line in caplog.messages if "leaves memory" in line]
    assert '"key":"run-0"' in line


def test_a_repeated_outage_is_said_once(
    client: Client, delivery: DirectDelivery, caplog: pytest.LogCaptureFixture
) -> None:
    client.time_entries.answers = [UNREACHABLE] * 5
    with caplog.at_level(logging.WARNING, "keito.billing"):
        for number in range(5):
            delivery.deliver([record(number)])
    assert len(caplog.messages) == 1


def test_closing_says_what_is_left(
    client: Client, delivery: DirectDelivery, caplog: pytest.LogCaptureFixture, clock: Callable[[], float]
) -> None:
    client.time_entries.answers = [UNREACHABLE] * 1000
    delivery.deliver([record()])
    delivery.close()
    assert delivery.report() == FlushReport(dropped=1)
    assert '"key":"run-0"' in caplog.text


def test_an_interrupt_while_sending_leaves_the_record_unsure(client: Client, delivery: DirectDelivery) -> None:
    client.time_entries.answers = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        delivery.deliver([record()])
    assert delivery.flush() == FlushReport(unsure=1)


def test_two_threads_never_send_the_same_record(client: Client, delivery: DirectDelivery) -> None:
    client.time_entries.answers = [UNREACHABLE]
    delivery.deliver([record()])
    sending, go_on = threading.Event(), threading.Event()
    create = client.time_entries.create

    def slow(**arguments: Any) -> None:
        sending.set()
        go_on.wait(10)
        create(**arguments)

    client.time_entries.create = slow  # type: ignore[method-assign]
    first = threading.Thread(target=delivery.flush)
    first.start()
    assert sending.wait(10)
    begin = time.monotonic()
    assert delivery.flush(0.2).pending == 1
    assert time.monotonic() - begin < 5
    go_on.set()
    first.join()
    assert delivery.report() == FlushReport(delivered=1)
    assert client.time_entries.posted == ["run-0", "run-0"]  # the failed attempt, and one more


def test_a_delivery_that_raises_says_at_once_what_failed_and_keeps_the_record(client: Client) -> None:
    delivery = DirectDelivery(client, raises=True)  # type: ignore[arg-type]
    client.time_entries.answers = [UNREACHABLE]
    with pytest.raises(KeitoConnectionError):
        delivery.deliver([record(0)])
    assert delivery.report() == FlushReport(pending=1)
    assert delivery.flush(1) == FlushReport(delivered=1)
    delivery.deliver([record(1)])
