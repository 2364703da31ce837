"""Relays that are stopped, killed, frozen, or more than one."""

from __future__ import annotations

import os
import signal
import sqlite3
import urllib.request
from collections import Counter
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from keito import Keito
from keito.outbox import BillingRecord, RecordKind
from keito.outbox.destination import destination_of
from keito.outbox.stored import RecordState

PATIENT = "run_relay(ready=lambda url: print('ready', url, flush=True))"
IDLE = {RecordState.PENDING: 0, RecordState.SENDING: 0, RecordState.UNSURE: 0}


@pytest.fixture
def fill(store: Any, keito_client: Keito) -> Any:
    """Commits records, as an agent of another process does."""

    def add(count: int, prefix: str = "run") -> Counter[str]:
        records = [_record(f"{prefix}-{number}") for number in range(count)]
        store.add(records, destination_of(keito_client))
        return Counter(each.key for each in records)

    return add


def _record(key: str) -> BillingRecord:
    body = {
        "project_id": "proj_support",
        "task_id": "task_tickets",
        "spent_date": "2026-11-23",
        "source": "agent",
        "hours": Decimal("0.25"),
        "metadata": {"keito": {"key": key}},
    }
    return BillingRecord(key, RecordKind.TIME_ENTRY, body)


def test_a_relay_sends_what_others_commit_and_ends_cleanly_at_sigterm(
    fill: Any, relay: Any, keys: Any, until: Any
) -> None:
    wanted = fill(20)
    process = relay(PATIENT)
    until(lambda: keys() == wanted)
    wanted += fill(5, "later")
    until(lambda: keys() == wanted)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


def test_sigterm_finishes_what_is_on_its_way_and_leaves_the_rest(
    fill: Any, relay: Any, keys: Any, until: Any, store: Any, keito_sandbox: Any
) -> None:
    keito_sandbox.configure(latency=0.1)
    fill(400)
    process = relay(PATIENT)
    until(lambda: len(keito_sandbox.requests("POST")) > 10)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    counts = store.counts()
    assert process.returncode == 0
    assert counts[RecordState.SENDING] == counts[RecordState.UNSURE] == 0
    assert counts[RecordState.PENDING] > 0
    assert counts[RecordState.DELIVERED] == sum(keys().values()) == len(keys())


@pytest.mark.parametrize("idempotency", [True, False], ids=["keys honoured", "keys ignored"])
def test_a_relay_that_is_killed_while_it_sends_loses_and_doubles_nothing(
    idempotency: bool, fill: Any, relay: Any, keys: Any, until: Any, keito_sandbox: Any
) -> None:
    keito_sandbox.configure(idempotency=idempotency, latency=0.02)
    wanted = fill(150)
    for seen in (10, 60):
        process = relay()
        until(lambda seen=seen: len(keito_sandbox.requests("POST")) > seen)
        process.kill()
        process.wait()
    relay()
    until(lambda: keys() == wanted)


def test_two_relays_share_the_work(fill: Any, relay: Any, keys: Any, until: Any, keito_sandbox: Any) -> None:
    keito_sandbox.configure(idempotency=False)
    relay(), relay()
    wanted = fill(300)
    until(lambda: keys() == wanted)
    assert len(keito_sandbox.requests("POST")) == 300


@pytest.fixture
def freeze(url: str) -> Any:
    """Stops a process outside of its commits: a stopped one that holds the lock of the file holds up everybody."""

    def stop(process: Any) -> None:
        while True:
            os.kill(process.pid, signal.SIGSTOP)
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0.2, isolation_level=None)) as file:
                try:
                    file.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    os.kill(process.pid, signal.SIGCONT)
                    continue
                file.execute("ROLLBACK")
                return

    return stop


def test_a_relay_that_is_frozen_beyond_its_lease_sends_nothing_when_it_thaws(
    fill: Any, relay: Any, keys: Any, until: Any, store: Any, keito_sandbox: Any, freeze: Any
) -> None:
    keito_sandbox.configure(idempotency=False, latency=0.05)
    wanted = fill(120)
    frozen = relay()
    until(lambda: len(keito_sandbox.requests("POST")) > 10)
    freeze(frozen)
    relay()
    until(lambda: keys() == wanted)
    os.kill(frozen.pid, signal.SIGCONT)
    frozen.send_signal(signal.SIGTERM)
    frozen.communicate(timeout=20)
    assert keys() == wanted
    until(lambda: {state: store.counts()[state] for state in IDLE} == IDLE)


def test_what_was_held_is_tried_again_when_a_relay_starts(
    fill: Any, relay: Any, keys: Any, until: Any, store: Any, keito_sandbox: Any
) -> None:
    keito_sandbox.faults.add("status", status=403, method="POST", times=2)
    wanted = fill(2)
    first = relay()
    until(lambda: store.counts()[RecordState.HELD] == 2)
    first.kill()
    relay()
    until(lambda: keys() == wanted)


def test_health_and_metrics_tell_what_happens(
    fill: Any, relay: Any, keys: Any, until: Any, keito_sandbox: Any, store: Any
) -> None:
    keito_sandbox.faults.add("drop_after", method="POST")
    keito_sandbox.faults.add("drop_before", method="POST")
    keito_sandbox.faults.add("status", status=422, method="POST")
    fill(10)
    process = relay("run_relay(quiet=0.3, port=0, ready=lambda url: print('ready', url, flush=True))")
    until(lambda: store.counts()[RecordState.DELIVERED] == 9)

    def metrics() -> dict[str, float]:
        with urllib.request.urlopen(f"{process.url}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    until(lambda: metrics()["keito_relay_delivered_total"] == 9)
    found = metrics()
    assert found['keito_outbox_records{state="delivered"}'] == 9
    assert found['keito_outbox_records{state="dead"}'] == 1
    assert found['keito_relay_failures_total{status="422"}'] == 1
    assert found['keito_relay_failures_total{status="no answer"}'] == 2
    assert found['keito_relay_unsure_resolved_total{result="found"}'] == 1
    assert found['keito_relay_unsure_resolved_total{result="absent"}'] == 1
    assert found["keito_relay_attempts_total"] == 11
    assert found['keito_relay_breaker{state="closed"}'] == 1
    assert found["keito_outbox_oldest_seconds"] == 0
    with urllib.request.urlopen(f"{process.url}/healthz") as answer:
        assert answer.read() == b"ok\n"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{process.url}/")
