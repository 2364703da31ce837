"""`python -m keito relay`, as an init system runs it."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest

from keito.billing import BillingPolicy
from keito.billing.records import cost_of
from keito.billing.recovery import bill_of
from keito.metering import AgentRun
from keito.outbox.destination import destination
from keito.outbox.stored import RecordState

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to handle there"),
]

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"
Relay = "subprocess.Popen[str]"


@pytest.fixture
def relay(sandbox, program_environment) -> Iterator[Callable[..., Relay]]:
    """Starts `python -m keito relay`."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "keito", "relay", *options]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=program_environment())
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


def test_it_sends_what_waits_and_what_comes_and_ends_on_sigterm(relay, put, store, keito_client) -> None:
    put("a", RecordState.HELD, status_code=401, reason="401 unauthorized")
    process = relay()
    assert process.stdout.readline() == "Keito relay ready\n"
    put("b")
    eventually(lambda: store.counts()[RecordState.DELIVERED] == 2)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    keys = {entry.metadata["keito"]["key"] for entry in keito_client.time_entries.list()}
    assert keys == {"a", "b"}


def test_health_and_metrics_are_where_it_says(relay, put, store) -> None:
    put("a")
    process = relay("--port", "0")
    line = process.stdout.readline()
    assert line.startswith("Keito relay ready, http://127.0.0.1:")
    url = line.split()[3].partition("/healthz")[0]
    eventually(lambda: store.counts()[RecordState.DELIVERED] == 1)
    assert httpx.get(f"{url}/healthz", verify=False).status_code == 200
    metrics = httpx.get(f"{url}/metrics", verify=False).text
    named = set(re.findall(r"`(keito_\w+)", PAGE.read_text(encoding="utf-8")))
    assert len(named) >= 8
    assert {name for name in named if name.removesuffix("_total") not in metrics} == set()


def test_a_port_in_use_is_said(relay) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        out, err = relay("--port", str(port)).communicate(timeout=20)
    assert out == ""
    assert err == f"keito: port {port} is in use; choose another with --port, or --port 0 for a free one\n"


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("KEITO_API_KEY", "", "keito: no api_key: pass api_key=... or set KEITO_API_KEY"),
        ("KEITO_OUTBOX_URL", "memory://", "each process keeps its own records"),
        ("KEITO_OUTBOX_URL", "sqlite:////proc/nowhere/outbox.db", "keito: outbox /proc/nowhere/outbox.db: "),
    ],
)
def test_what_keeps_it_from_starting_is_one_sentence(shell, sandbox, monkeypatch, variable, value, reason) -> None:
    monkeypatch.setenv(variable, value)
    said = shell("relay")
    assert (said.status, said.out) == (1, "")
    assert reason in said.err


ABANDONED = """
import time
from keito.billing import AgentBilling
billing = AgentBilling(deliver="by_relay")
run = billing.start("Ticket 4821")
run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1_000_000)
time.sleep(60)
"""


def journalled(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT count(*) FROM events").fetchone()[0]


def test_it_bills_a_run_whose_process_was_killed(relay, store, outbox_file, keito_client, program_environment) -> None:
    pytest.importorskip("genai_prices")
    assert store.counts()  # the file has its tables
    command = [sys.executable, "-c", ABANDONED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=program_environment()) as agent:
        try:
            eventually(lambda: journalled(outbox_file) > 0)
        finally:
            agent.kill()
    relay()
    eventually(lambda: store.counts()[RecordState.DELIVERED] == 2)
    (entry,) = keito_client.time_entries.list()
    assert (entry.notes, entry.metadata["keito"]["status"]) == ("Ticket 4821", "abandoned")
    (expense,) = keito_client.expenses.list()
    assert expense.total_cost == 0.25


def test_flush_closes_the_windows_of_rollups_that_are_over(shell, store, sandbox, keito_client) -> None:
    policy = BillingPolicy.from_env(rollup="hour")
    run = AgentRun("Ticket 4821", started_at=datetime.now(timezone.utc) - timedelta(hours=3))
    run.end(elapsed_ns=36 * 10**9)
    records, shares = bill_of(run, policy, cost_of(run, policy))
    store.add(records, destination(sandbox.url, sandbox.account_id), run_id=run.uid, shares=shares)
    assert store.counts()[RecordState.PENDING] == 0
    assert shell("outbox", "flush").out == "1 delivered\n"
    (entry,) = keito_client.time_entries.list()
    assert entry.metadata["keito"]["rollup"]["per"] == "hour"
