"""What a program sees of its delivery."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pytest

from keito import Keito
from keito.outbox import FlushReport, open_store
from keito.outbox.destination import destination_of
from keito.outbox.durable import DeliverMode, OutboxDelivery
from keito.outbox.relay.background import Background
from keito.outbox.relay.relay import Relay
from keito.outbox.stored import RecordState, Settlement

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def nobody() -> Any:
    """A client whose server is not there."""
    with Keito(api_key="kto_12345678", account_id="acc", base_url=NOBODY) as client:
        yield client


def test_records_are_sent_without_being_asked_for(make: Any, records: Any, books: Any, until: Any) -> None:
    wanted = records(5)
    make().deliver(wanted)
    until(lambda: books.has_exactly(wanted))


def test_accepted_records_wait_for_a_flush(make: Any, records: Any, books: Any) -> None:
    delivery, wanted = make(), records(3)
    delivery.accept(wanted)
    assert delivery.report() == FlushReport(pending=3)
    assert delivery.flush(10) == FlushReport(delivered=3)
    assert books.has_exactly(wanted)


def test_a_key_that_was_delivered_is_not_posted_again(make: Any, records: Any, books: Any) -> None:
    delivery, wanted = make(), records(2)
    delivery.deliver(wanted)
    assert delivery.flush(10).complete
    delivery.deliver(wanted)
    assert delivery.flush(10) == FlushReport(delivered=2)
    assert books.has_exactly(wanted)


def test_a_flush_is_bounded_and_never_says_complete_while_a_server_hangs(
    make: Any, records: Any, keito_sandbox: Any
) -> None:
    keito_sandbox.faults.add("delay", seconds=60, times=0)
    delivery = make(timeout=30)
    delivery.deliver(records(3))
    began = time.monotonic()
    report = delivery.flush(0.3)
    assert time.monotonic() - began < 2
    assert report == FlushReport(pending=3)
    keito_sandbox.reset()


def test_a_flush_ends_early_when_nobody_answers(make: Any, records: Any, nobody: Any) -> None:
    delivery = make(nobody)
    delivery.deliver(records(40))
    report = delivery.flush(15)
    assert report == FlushReport(pending=40)


@pytest.mark.parametrize("method", ["*", "POST"], ids=["all is down", "it lists, and takes nothing"])
def test_nobody_is_hammered_while_the_server_is_down(
    method: str, make: Any, records: Any, keito_sandbox: Any, until: Any
) -> None:
    keito_sandbox.faults.add("status", status=503, method=method, times=0)
    delivery = make(concurrency=4)
    delivery.deliver(records(300))
    until(lambda: len(keito_sandbox.requests()) >= 4)
    until(lambda: delivery.report().unsure)
    deadline = time.monotonic() + 2.5
    until(lambda: time.monotonic() > deadline)
    # Those that were on their way when it was noticed, and some probes.
    assert len(keito_sandbox.requests()) < 40


def test_a_wrong_key_is_not_tried_with_every_record(make: Any, records: Any, keito_sandbox: Any) -> None:
    with Keito(api_key="kto_wrong_key_1", account_id=keito_sandbox.account_id, base_url=keito_sandbox.url) as client:
        delivery = make(client, concurrency=2)
        delivery.deliver(records(200))
        report = delivery.flush(2)
        assert report.held + report.pending == 200
        assert len(keito_sandbox.requests("POST")) < 40


def test_what_was_down_is_sent_once_it_is_up(url: str, records: Any, tmp_path: Any) -> None:
    from keito.sandbox import SandboxServer

    wanted = records(30)
    with SandboxServer(db=tmp_path / "keito.db") as server:
        port = int(server.url.rsplit(":", 1)[1])
    with Keito(api_key=server.api_key, account_id=server.account_id, base_url=server.url) as client:
        delivery = OutboxDelivery(url, client, timeout=1, quiet=0.5)
        delivery.deliver(wanted)
        assert delivery.flush(0.5) == FlushReport(pending=30)
        with SandboxServer(db=tmp_path / "keito.db", port=port):
            assert delivery.flush(20) == FlushReport(delivered=30)
            keys = sorted(row.metadata["keito"]["key"] for row in client.time_entries.list(per_page=2000))
            keys += sorted(row.metadata["keito"]["key"] for row in client.expenses.list(per_page=2000))
            assert sorted(keys) == sorted(each.key for each in wanted)
            delivery.close()


def test_on_exit_of_run_the_records_are_there_when_deliver_returns(make: Any, records: Any, books: Any) -> None:
    wanted = records(6)
    make(mode="on_exit_of_run").deliver(wanted)
    assert books.has_exactly(wanted)


def test_on_exit_of_run_waits_no_longer_than_the_timeout(make: Any, records: Any, keito_sandbox: Any) -> None:
    keito_sandbox.faults.add("delay", seconds=60, times=0)
    began = time.monotonic()
    make(mode="on_exit_of_run", timeout=0.3).deliver(records(1))
    assert time.monotonic() - began < 2
    keito_sandbox.reset()


def test_by_relay_needs_no_client_and_sends_nothing(url: str, records: Any, keito_client: Any, books: Any) -> None:
    place = destination_of(keito_client)
    delivery = OutboxDelivery(url, destination=place, mode=DeliverMode.BY_RELAY)
    delivery.deliver(records(3))
    assert delivery.flush(0.3) == FlushReport(pending=3)
    assert not books.keys()
    delivery.close()


def test_a_destination_is_needed_where_no_client_names_one(url: str) -> None:
    with pytest.raises(ValueError, match="destination is missing"):
        OutboxDelivery(url, mode="by_relay")


def test_a_client_is_made_only_when_there_is_something_to_send(
    make: Any, records: Any, keito_client: Any, books: Any
) -> None:
    made: list[Keito] = []

    def client() -> Keito:
        made.append(keito_client)
        return keito_client

    delivery = make(client, destination=destination_of(keito_client))
    assert not made
    delivery.deliver(records(2))
    assert delivery.flush(10).complete
    assert len(made) == 1


def test_records_for_another_account_are_left_alone(make: Any, records: Any, keito_client: Any, books: Any) -> None:
    delivery = make()
    delivery.store.add(records(2, "theirs"), "acc_other@" + keito_client.base_url)
    delivery.deliver(records(2, "mine"))
    assert delivery.flush(10) == FlushReport(delivered=2)
    assert set(books.keys()) == {"mine-0", "mine-1"}


def test_what_cannot_be_committed_is_counted_and_logged_whole(
    tmp_path: Any, records: Any, keito_client: Any, caplog: Any
) -> None:
    delivery = OutboxDelivery(f"sqlite:///{tmp_path / 'outbox.db'}?limit=2", keito_client)
    with caplog.at_level(logging.ERROR, "keito.billing"):
        delivery.deliver(records(3))
    assert "run-1 is not in the outbox" in caplog.text
    assert "task_tickets" in caplog.text
    assert not delivery.flush(1).complete
    assert delivery.flush(1).dropped == 3
    delivery.close()


def test_a_store_that_cannot_be_read_never_looks_like_success(tmp_path: Any, records: Any, keito_client: Any) -> None:
    path = tmp_path / "outbox.db"
    delivery = OutboxDelivery(f"sqlite:///{path}", keito_client)
    for file in tmp_path.glob("outbox.db*"):
        file.unlink()  # SQLite would read all of it from the log
    path.write_text("this is no database, and longer than a header of one would have to be" * 10)
    assert not delivery.report().complete
    assert not delivery.flush(1).complete
    delivery.close()


def test_hooks_are_called_with_what_became_of_each_record(
    make: Any, records: Any, keito_sandbox: Any, until: Any
) -> None:
    keito_sandbox.faults.add("status", status=400, method="POST")
    delivered: list[Any] = []
    dead: list[Any] = []
    threads: set[str] = set()

    def on_delivered(record: Any) -> None:
        threads.add(threading.current_thread().name)
        delivered.append(record)
        raise RuntimeError("a bug of the program")

    delivery = make(concurrency=1, on_delivered=on_delivered, on_dead=dead.append)
    delivery.deliver(records(4))
    delivery.flush(10)
    until(lambda: len(delivered) == 3 and len(dead) == 1)
    assert all(record.api_id and record.state is RecordState.DELIVERED for record in delivered)
    assert dead[0].status_code == 400
    assert threads == {"keito-hooks"}


def test_hooks_are_called_for_records_that_another_process_sent(
    make: Any, records: Any, url: str, until: Any, nobody: Any, keito_client: Any
) -> None:
    delivered: list[Any] = []
    delivery = make(nobody, destination="shared", on_delivered=delivered.append)
    delivery.accept(records(1))
    others = open_store(url)
    [record] = others.claim("shared", "other", 1, 60)
    others.settle("other", [Settlement(record.key, RecordState.DELIVERED, api_id="te_1")])
    until(lambda: [record.api_id for record in delivered] == ["te_1"])
    others.close()


def test_deliveries_of_one_place_share_a_store_and_a_relay(make: Any, records: Any, books: Any) -> None:
    first, second = make(), make()
    assert first.store is second.store
    wanted = records(4)
    first.deliver(wanted[:2])
    first.close()
    second.deliver(wanted[2:])
    assert second.flush(10).pending == 0
    assert books.has_exactly(wanted)


def test_a_program_that_starts_tries_again_what_was_held_long_ago(
    store: Any, records: Any, keito_client: Any, until: Any, books: Any, monkeypatch: Any
) -> None:
    place, wanted = destination_of(keito_client), records(3)
    store.add(wanted, place)
    for record in store.claim(place, "earlier", 2, 60):
        store.settle("earlier", [Settlement(record.key, RecordState.HELD, status_code=403)])
    # The last one is what wakes the program; what was held only just is left alone.
    background = Background(Relay(store, keito_client, place), linger=0.05)
    background.wake()
    until(lambda: not background.is_running)
    assert set(books.keys()) == {wanted[2].key}

    monkeypatch.setattr("keito.outbox.relay.relay.HELD_FOR", 0.0)
    background = Background(Relay(store, keito_client, place), linger=0.05)
    background.wake()
    until(lambda: not background.is_running)
    assert books.has_exactly(wanted)


def test_threads_end_when_there_is_nothing_to_do_and_come_back(
    store: Any, records: Any, keito_client: Any, until: Any, books: Any
) -> None:
    place = destination_of(keito_client)
    background = Background(Relay(store, keito_client, place), linger=0.05)
    wanted = records(4)
    for part in (wanted[:2], wanted[2:]):
        store.add(part, place)
        background.wake()
        until(lambda: not background.is_running)
    assert books.has_exactly(wanted)


def test_closing_sends_what_is_there_and_leaves_the_rest_in_the_store(
    make: Any, records: Any, books: Any, url: str, nobody: Any, store: Any
) -> None:
    wanted = records(20)
    delivery = make()
    delivery.deliver(wanted)
    delivery.close()
    assert books.has_exactly(wanted)

    lost = make(nobody)
    lost.deliver(records(2, "later"))
    lost.close()
    assert store.counts(lost.destination)[RecordState.PENDING] == 2
