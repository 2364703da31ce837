"""Billing through an outbox that processes share."""

import errno
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from keito import Keito, KeitoAuthError
from keito.billing import AgentBilling
from keito.metering import AgentRun, LLMCall, Outcome, Usage
from keito.outbox import OutboxError, StoredRecord
from keito.sandbox import SandboxServer


@pytest.fixture
def place(keito_sandbox: SandboxServer) -> "dict[str, Any]":
    return {
        "project_id": keito_sandbox.project_id,
        "task_id": keito_sandbox.task_id,
        "expense_category_id": keito_sandbox.expense_category_id,
        "timezone": "UTC",
    }


def spend(run: AgentRun, cost: str = "0.25") -> None:
    run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1000, reported_cost=cost)


def test_an_agent_without_a_key_commits_and_another_program_sends(
    keito_sandbox: SandboxServer,
    keito_client: Keito,
    books: Any,
    place: "dict[str, Any]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEITO_ACCOUNT_ID", keito_sandbox.account_id)
    monkeypatch.setenv("KEITO_BASE_URL", keito_sandbox.url)
    agent = AgentBilling(deliver="by_relay", **place)
    with agent.run() as run:
        spend(run)
    assert agent.flush(0.2).pending == 2
    assert books.times == []
    sender = AgentBilling(client=keito_client, **place)
    assert sender.flush().complete
    assert agent.flush().complete
    assert len(books.times) == len(books.expenses) == 1


def test_without_an_account_an_agent_says_at_once_what_to_set(place: "dict[str, Any]") -> None:
    with pytest.raises(KeitoAuthError, match="KEITO_ACCOUNT_ID"):
        AgentBilling(deliver="by_relay", **place)


def test_an_unknown_way_to_deliver_is_refused_at_once(keito_client: Keito, place: "dict[str, Any]") -> None:
    wrong: Any = "by_pigeon"
    with pytest.raises(ValueError, match=r"deliver is one of .*'by_relay'; got 'by_pigeon'"):
        AgentBilling(client=keito_client, deliver=wrong, **place)


def test_an_unknown_outbox_is_refused_by_the_name_that_sets_it(keito_client: Keito, place: "dict[str, Any]") -> None:
    with pytest.raises(ValueError, match=r"outbox= or KEITO_OUTBOX_URL: .*, not mysql:"):
        AgentBilling(client=keito_client, outbox="mysql://host/db", **place)


def test_hooks_are_told_of_each_record(
    keito_client: Keito, keito_sandbox: SandboxServer, place: "dict[str, Any]"
) -> None:
    delivered, dead, both = list[StoredRecord](), list[StoredRecord](), threading.Semaphore(0)

    def hook(into: "list[StoredRecord]") -> "Callable[[StoredRecord], None]":
        return lambda record: (into.append(record), both.release())[1]

    billing = AgentBilling(client=keito_client, on_delivered=hook(delivered), on_dead=hook(dead), **place)
    keito_sandbox.faults.add("status", method="POST", path="/api/v2/expenses", status=400)
    with billing.run() as run:
        spend(run)
    for _ in range(2):
        assert both.acquire(timeout=20)
    assert [record.key for record in delivered] == [f"{run.uid}-time-0"]
    assert [record.key for record in dead] == [f"{run.uid}-expense-0"]
    billing.close()


def test_hooks_are_told_of_the_records_of_a_window(keito_client: Keito, place: "dict[str, Any]") -> None:
    keys, both = list[str](), threading.Semaphore(0)

    def on_delivered(record: StoredRecord) -> None:
        keys.append(record.key.rpartition("-")[0].rpartition("-")[2])
        both.release()

    billing = AgentBilling(client=keito_client, rollup="day", on_delivered=on_delivered, **place)
    with billing.run() as run:
        spend(run)
    assert billing.flush().complete
    for _ in range(2):
        assert both.acquire(timeout=20)
    assert sorted(keys) == ["expense", "time"]
    billing.close()


WORKER = """
from keito.billing import AgentBilling
billing = AgentBilling(rollup="day", timezone="UTC", agent_id="bot", deliver="by_relay", cost_decimals=2)
for _ in range(25):
    with billing.run() as run:
        run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=10, reported_cost="0.0004")
"""


def test_processes_share_a_window_and_each_run_is_in_it_once(
    keito_client: Keito, books: Any, place: "dict[str, Any]", sandbox_environment: Any
) -> None:
    environment = sandbox_environment(KEITO_API_KEY="")
    workers = [subprocess.Popen([sys.executable, "-c", WORKER], env=environment) for _ in range(4)]
    assert [worker.wait(60) for worker in workers] == [0] * 4
    billings = [AgentBilling(client=keito_client, **place) for _ in range(3)]
    flushing = [threading.Thread(target=billing.flush) for billing in billings]
    for thread in flushing:
        thread.start()
    for thread in flushing:
        thread.join()
    assert billings[0].flush().complete
    assert sum(entry.metadata["keito"]["rollup"]["records"] for entry in books.times) == 100
    assert len(books.times) <= 2  # two where midnight lay in between
    assert sum(Decimal(str(expense.total_cost)) for expense in books.expenses) == Decimal("0.04")


def test_what_rounding_leaves_is_billed_by_the_next_program(
    keito_client: Keito, books: Any, place: "dict[str, Any]"
) -> None:
    for _ in range(3):  # 0.014 is posted as 0.01, 0.018 as 0.02, 0.012 as 0.01
        billing = AgentBilling(client=keito_client, rollup="day", cost_decimals=2, **place)
        with billing.run() as run:
            spend(run, "0.014")
        assert billing.flush().complete
        billing.close()
    assert sorted(expense.total_cost for expense in books.expenses) == [0.01, 0.01, 0.02]


def test_a_window_that_is_over_is_closed_by_whoever_looks(
    keito_client: Keito, books: Any, place: "dict[str, Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    billing = AgentBilling(client=keito_client, rollup="hour", late_grace=0, **place)
    run = billing.start("early")
    run._watch.started_at = run.started_at.replace(year=run.started_at.year - 1)
    spend(run)
    billing.finish(run, elapsed_ns=10**9)  # its window was over long ago
    wait = threading.Event()
    for _ in range(400):
        if books.expenses:
            break
        wait.wait(0.05)
    assert [expense.total_cost for expense in books.expenses] == [0.25]
    billing.close()


def test_a_run_that_was_dropped_is_not_billed_as_an_abandoned_one(
    keito_client: Keito, tmp_path: Path, place: "dict[str, Any]", caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "o.db"
    billing = AgentBilling(client=keito_client, outbox=f"sqlite:///{path}?limit=1", deliver="by_relay", **place)
    wait, journal = threading.Event(), sqlite3.connect(path)
    with billing.run() as run:
        spend(run)
        for _ in range(400):
            if journal.execute("SELECT uid FROM runs").fetchall() == [(run.uid,)]:
                break
            wait.wait(0.05)
        else:
            pytest.fail("the run was never noted")
    assert billing.flush(0.2).dropped == 2
    assert f"{run.uid}-expense-0 is not in the outbox" in caplog.text
    assert journal.execute("SELECT uid FROM runs").fetchall() == []
    journal.close()
    billing.close()


@pytest.mark.parametrize("place", ["/proc/nowhere/outbox.db", "damaged.db"])
def test_an_outbox_that_cannot_be_used_is_said_when_the_billing_is_made(
    keito_client: Keito, tmp_path: Path, place: str
) -> None:
    (tmp_path / "damaged.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(OutboxError, match="KEITO_OUTBOX_URL"):
        AgentBilling(client=keito_client, project_id="p", task_id="t", outbox=f"sqlite:///{tmp_path / place}")


def test_an_agent_starts_on_a_full_disk(
    keito_client: Keito, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("keito.outbox.stores.sqlite_file.os.open", full)
        billing = AgentBilling(client=keito_client, project_id="p", task_id="t", outbox=f"sqlite:///{tmp_path}/o.db")
    assert "No space left on device" in caplog.text
    billing.close()


@pytest.mark.parametrize("rollup", [None, "day"])
def test_wrong_values_get_to_keito_as_far_as_they_can(
    keito_client: Keito, books: Any, place: "dict[str, Any]", rollup: Any
) -> None:
    half, now = "half \ud800 and nothing \0", datetime.now(timezone.utc)
    billing = AgentBilling(client=keito_client, rollup=rollup, **place)
    with billing.run(half, trigger=half, session_id=half, attributes={half: 10**5000}) as run:
        run.details["object"] = object()
        run.record(LLMCall(now, now, half, half, half, Usage(10**5000, 3), tier=half))
        run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=-900)
        run.record_usage(half, unit=half)
        spend(run)
        run.log_outcome(Outcome("ticket_resolved", 1, description=half, evidence={"nothing": "\0"}))
    assert billing.flush().complete
    (time,) = books.times
    assert (time.metadata["model"]["tokens_in"], time.metadata["model"]["tokens_out"]) == (1000, 3)
    assert [expense.total_cost for expense in books.expenses] == [0.25]
    assert [outcome.notes for outcome in books.outcomes] == ["half ? and nothing \0"]
    assert billing.guard.count == 0
    billing.close()
