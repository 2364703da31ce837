"""How fast a relay drains an outbox, and what it costs: `python -m benchmarks.relay [--records N] [--pending N]`.

The records of a SQLite file go to a stub that answers at once, over 8 connections. Each relay is a process of its own:
its figures are those of a relay and nothing else. With `--pending` a relay starts on a file with as many records, and
is stopped when it has sent the first thousand.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from keito.outbox import BillingRecord, RecordKind, open_store

DESTINATION = "acc_bench@http://127.0.0.1"
PIECE = 5_000
WANTED_RATE, WANTED_MEGABYTES, WANTED_START = 1_500, 120, 1.0


def record(number: int) -> BillingRecord:
    """A time entry as agents make it."""
    key = f"{number:032x}-time-0"
    metadata = {
        "agent": {"id": "support-agent", "framework": "langchain"},
        "run": {"id": f"{number:032x}", "trigger": "webhook"},
        "model": {"provider": "openai", "name": "gpt-5-mini", "tokens_in": 900, "tokens_out": 120, "cost_usd": 0.00123},
        "session_id": f"{number:032x}",
        "keito": {"key": key, "sdk": "keito", "status": "completed", "duration_s": 12.5},
    }
    body = {
        "project_id": "cmproject00000000000000001",
        "task_id": "cmtask00000000000000000001",
        "spent_date": "2026-03-05",
        "hours": Decimal("0.0035"),
        "notes": f"Resolved ticket {number}",
        "source": "agent",
        "metadata": metadata,
    }
    return BillingRecord(key, RecordKind.TIME_ENTRY, body)


@contextmanager
def outbox(records: int) -> Iterator[str]:
    """A file with so many pending records."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'outbox.db'}"
        store = open_store(url)
        for start in range(0, records, PIECE):
            store.add([record(number) for number in range(start, min(start + PIECE, records))], DESTINATION)
        store.close()
        yield url


@contextmanager
def stub() -> Iterator[str]:
    """A server that answers at once."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("stub.py"))], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


def send(url: str, server: str, records: int) -> None:
    """What the relay's process does: send so many records, and print the figures."""
    import time

    began = time.perf_counter()
    from keito import Keito
    from keito.outbox.relay.relay import Relay

    store = open_store(url)
    with Keito(api_key="kto_bench", account_id="acc_bench", base_url=server) as client:
        relay = Relay(store, client, DESTINATION, concurrency=8)
        marks: dict[str, float] = {}

        def is_over() -> bool:
            sent = relay.stats.delivered
            if sent and "start" not in marks:
                marks.update(start=time.perf_counter() - began)
            if sent >= min(2_000, records / 4) and "early" not in marks:
                marks.update(early=megabytes())
            return sent >= records and (not relay.is_busy or "pending" in sys.argv)

        relay.work(is_over)
        seconds = time.perf_counter() - began - marks["start"]
        relay.drain(10)
    store.close()
    figures = {"rate": records / seconds, "late": megabytes(), "peak": peak(), "cpu": time.process_time(), **marks}
    print(json.dumps(figures))


def megabytes() -> float:
    """What the process has in memory now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def peak() -> float:
    """The most that it has had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def relay_of(url: str, records: int, *more: str) -> Any:
    """The figures of a relay that sends so many records."""
    with stub() as server:
        command = [sys.executable, "-m", "benchmarks.relay", "--send", url, server, str(records), *more]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--pending", type=int, default=0)
    parser.add_argument("--send", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.send:
        send(given.send[0], given.send[1], int(given.send[2]))
        return
    with outbox(given.records) as url:
        found = relay_of(url, given.records)
    print(
        f"{given.records:,} records: {found['rate']:,.0f} a second (wanted: {WANTED_RATE:,}), {found['cpu']:.1f} s CPU"
    )
    print(f"memory: {found['early']:.0f} MB early, {found['late']:.0f} MB at the end, {found['peak']:.0f} MB at most")
    if given.pending:
        with outbox(given.pending) as url:
            found = relay_of(url, 1_000, "pending")
        print(
            f"{given.pending:,} pending: first one sent after {found['start']:.2f} s (wanted: {WANTED_START:.0f}), "
            f"{found['peak']:.0f} MB at most (wanted: {WANTED_MEGABYTES})"
        )


if __name__ == "__main__":
    main()
