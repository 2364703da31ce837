"""Measure what it costs to keep records safe, on SQLite and on PostgreSQL.

    python -m benchmarks.outbox [--quick]

The disk and the machine decide: it prints what one write of the disk takes beside it. It fails when a target is missed
that does not depend on them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from benchmarks.postgres import postgres_server
from keito.outbox import BillingRecord, RecordKind, open_store
from keito.outbox.store import Store

HERE = "acc_1@https://app.keito.io"
PROCESSES, THREADS = 4, 8
STATUS_LIMIT, MEMORY_LIMIT = 0.100, 120.0
"""Seconds and MB, with a million pending records."""


def run_of() -> list[BillingRecord]:
    """The time entry and the expense of a run."""
    uid = uuid.uuid4().hex
    return [_record(f"{uid}-time-0", RecordKind.TIME_ENTRY), _record(f"{uid}-expense-0", RecordKind.EXPENSE)]


def _record(key: str, kind: RecordKind) -> BillingRecord:
    metadata = {
        "agent": {"id": "support-bot", "framework": "langchain"},
        "run": {"id": key[:32]},
        "model": {"provider": "openai", "name": "gpt-5-mini", "tokens_in": 1200, "tokens_out": 310},
        "keito": {"key": key, "sdk": "keito-python/1.0.0", "status": "completed", "calls": 3},
    }
    body = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-11-23", "source": "agent"}
    return BillingRecord(key, kind, {**body, "hours": Decimal("0.25"), "notes": "Agent run", "metadata": metadata})


def enqueue(store: Store, count: int) -> list[float]:
    """Seconds that each of so many runs waits for its records to be safe."""
    taken: list[float] = []
    for _ in range(count):
        records = run_of()
        start = time.perf_counter()
        store.add(records, HERE)
        taken.append(time.perf_counter() - start)
    return taken


def in_threads(url: str, threads: int, count: int) -> tuple[list[float], float]:
    """How long each run waited, and how long all of them took."""
    store = open_store(url)
    enqueue(store, 10)
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        taken = [one for part in pool.map(lambda _: enqueue(store, count // threads), range(threads)) for one in part]
    seconds = time.perf_counter() - start
    store.close()
    return taken, seconds


def _process(url: str, count: int, ready: Any, go: Event, results: Any) -> None:
    store = open_store(url)
    enqueue(store, 10)
    ready.put(None)
    go.wait()
    results.put(enqueue(store, count))
    store.close()


def in_processes(url: str, processes: int, count: int) -> tuple[list[float], float]:
    """The same for processes of their own."""
    context = multiprocessing.get_context("spawn")
    ready, results, go = context.Queue(), context.Queue(), context.Event()
    workers = [
        context.Process(target=_process, args=(url, count // processes, ready, go, results)) for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.get(timeout=60)
    start = time.perf_counter()
    go.set()
    taken = [one for _ in workers for one in results.get(timeout=300)]
    seconds = time.perf_counter() - start
    for worker in workers:
        worker.join()
    return taken, seconds


def show(title: str, measured: tuple[list[float], float]) -> None:
    """Print a row."""
    taken, seconds = measured
    parts = statistics.quantiles(taken, n=100)
    print(
        f"{title:<24} {len(taken) / seconds:>8,.0f} runs/s   "
        f"p50 {parts[49] * 1e3:>6.2f} ms   p99 {parts[98] * 1e3:>6.2f} ms   most {max(taken) * 1e3:>6.1f} ms"
    )


def disk(folder: Path, count: int = 500) -> tuple[list[float], float]:
    """How long it takes to write as much as a run's records and to know that it is on the disk."""
    taken: list[float] = []
    start = time.perf_counter()
    with (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(count):
            begun = time.perf_counter()
            file.write(b"x" * 24_576)
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return taken, time.perf_counter() - start


@contextmanager
def stores(folder: Path) -> Iterator[Iterable[tuple[str, Callable[[], str]]]]:
    """Names of the databases, each with a function that gives the URL of a new store."""
    with postgres_server() as url:
        sign = "&" if "?" in url else "?"
        yield [
            ("SQLite", lambda: f"sqlite:///{folder / uuid.uuid4().hex}.db"),
            ("PostgreSQL", lambda: f"{url}{sign}schema=b{uuid.uuid4().hex}"),
        ]


def fill(store: Store, count: int) -> None:
    """Add so many records, many at a time."""
    for _ in range(count // 2_000):
        store.add([record for _ in range(1_000) for record in run_of()], HERE)


def best(action: Callable[[], object], rounds: int = 5) -> float:
    """Seconds of the best round."""
    taken: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return min(taken)


def status_at(url: str, count: int) -> bool:
    """Measure a store with so many pending records."""
    filling = open_store(url)
    fill(filling, count)
    filling.close()
    store = open_store(url)
    limit = STATUS_LIMIT * 1e3
    figures = {
        "open and count": best(store.counts, 1),
        "counts": best(store.counts),
        "next_due": best(lambda: store.next_due(HERE)),
        "oldest_pending": best(store.oldest_pending),
        "claim 100, give back": best(
            lambda: store.give_back("me", [one.key for one in store.claim(HERE, "me", 100, 60)])
        ),
    }
    for name, seconds in figures.items():
        verdict = "" if seconds < STATUS_LIMIT else "   MISSED"
        print(f"  {name:<22} {seconds * 1e3:>8.2f} ms   at most {limit:.0f} ms{verdict}")
    store.close()
    return max(figures.values()) < STATUS_LIMIT


def main() -> int:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    share = 10 if parser.parse_args().quick else 1
    count, many = 4_000 // share, 1_000_000 // share
    met = True
    with tempfile.TemporaryDirectory() as name, stores(Path(name)) as databases:
        show("the disk alone", disk(Path(name)))
        for database, new in databases:
            show(f"{database}, 1 thread", in_threads(new(), 1, count))
            show(f"{database}, {THREADS} threads", in_threads(new(), THREADS, count))
            show(f"{database}, {PROCESSES} processes", in_processes(new(), PROCESSES, count))
        for database, new in databases:
            print(f"{database}, {many:,} pending records:")
            met &= status_at(new(), many)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024
        print(f"memory of this process  {memory:>8.0f} MB   at most {MEMORY_LIMIT:.0f} MB")
    return 0 if met and memory < MEMORY_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
