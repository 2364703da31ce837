"""Programs in processes of their own, with a store and a Keito."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable

import pytest

from keito import Keito
from keito.outbox import open_store

PRELUDE = """
import os, sys, time
from decimal import Decimal
from keito import Keito
from keito.outbox import BillingRecord, OutboxDelivery, RecordKind, open_store
from keito.outbox.destination import destination_of
from keito.outbox.relay.service import run_relay

URL = os.environ["KEITO_OUTBOX_URL"]

def record(key):
    body = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-11-23", "source": "agent",
            "hours": Decimal("0.25"), "metadata": {"keito": {"key": key}}}
    return BillingRecord(key, RecordKind.TIME_ENTRY, body)
"""

RELAY = "run_relay(timeout=0.5, quiet=0.5, drain=3, ready=lambda url: print('ready', url, flush=True))"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'outbox.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Any]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def start(sandbox_environment: Any, tmp_path: Path, url: str) -> Iterator[Callable[..., Any]]:
    """Starts a program, in which every warning shows."""
    started: list[subprocess.Popen[str]] = []

    def begin(program: str, python: str = sys.executable, **variables: str) -> Any:
        process = subprocess.Popen(
            [python, "-c", PRELUDE + textwrap.dedent(program)],
            env=sandbox_environment(KEITO_OUTBOX_URL=url, **variables),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def relay(start: Any) -> Callable[..., Any]:
    """Starts a relay, and returns when it works."""

    def begin(call: str = RELAY) -> Any:
        process = start(call)
        line = process.stdout.readline()
        assert line.startswith("ready"), process.stderr.read()
        process.url = line.split(" ")[1].strip()
        return process

    return begin


@pytest.fixture
def keys(keito_client: Keito) -> Callable[[], Counter[str]]:
    """How often each record is on Keito; their hours must add up."""

    def count() -> Counter[str]:
        rows = list(keito_client.time_entries.list(source="agent", per_page=2000))
        found = Counter(row.metadata["keito"]["key"] for row in rows)
        assert sum(Decimal(str(row.hours)) for row in rows) == Decimal("0.25") * sum(found.values())
        return found

    return count


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits for a condition."""

    def wait(condition: Callable[[], object], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.01)

    return wait
