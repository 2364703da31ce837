"""How long a page of a large sandbox takes: `python -m benchmarks.sandbox_pages`.

Fills a sandbox with entries of many users, projects and tasks over a year, then asks for pages over HTTP, from
the same process, as a test would. The limit is 20 ms for a filtered page of 100,000 entries.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx

from keito.sandbox import SandboxServer

LIMIT_MS = 20.0
USERS, PROJECTS, CLIENTS, TASKS, DAYS = 20, 50, 10, 8, 365
FIRST_DAY = date(2026, 1, 1)
SOURCES = ("web", "cli", "api", "agent", "calendar", "desktop")
CHUNK = 5_000
REPEATS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for place in (None, Path(folder) / "sandbox.db"):
            with SandboxServer(db=place) as server:
                begin = time.perf_counter()
                fill(server, arguments.entries)
                seconds = time.perf_counter() - begin
                where = "a file" if place else "memory"
                print(f"\n{arguments.entries:,} entries in {where}, put in in {seconds:.0f} s")
                measure(server, arguments.entries)


def fill(server: SandboxServer, total: int) -> None:
    server.seed(
        clients=[{"id": f"cli_{i}"} for i in range(CLIENTS)],
        tasks=[{"id": f"task_{i}"} for i in range(TASKS)],
        projects=[{"id": f"proj_{i}", "client_id": f"cli_{i % CLIENTS}"} for i in range(PROJECTS)],
        users=[{"id": f"usr_{i}"} for i in range(USERS)],
    )
    made = entries(total)
    for size in [CHUNK] * (total // CHUNK) + [total % CHUNK]:
        server.seed(entries=[next(made) for _ in range(size)])


def entries(total: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(7)
    for i in range(total):
        day = FIRST_DAY + timedelta(days=chance.randrange(DAYS))
        yield {
            "id": f"te_{i}",
            "user_id": f"usr_{chance.randrange(USERS)}",
            "project_id": f"proj_{chance.randrange(PROJECTS)}",
            "task_id": f"task_{chance.randrange(TASKS)}",
            "spent_date": day.isoformat(),
            "hours": chance.randrange(1, 800) / 100,
            "is_running": i % 10_000 == 0,
            "is_billed": i % 3 == 0,
            "source": SOURCES[i % len(SOURCES)],
            "notes": "Answered a question about an order that did not arrive",
            "metadata": {"session_id": f"session-{i}", "agent": {"id": "support-bot"}, "model": {"tokens_in": i}},
            "created_at": f"{day}T10:00:00Z",
        }


QUERIES = (
    "",
    "page={last}",
    "project_id=proj_7",
    "project_id=proj_7&page=15",
    "user_id=usr_3&page=20",
    "client_id=cli_2&is_billed=false",
    "task_id=task_5&page=100",
    "user_id=usr_3&project_id=proj_7&task_id=task_5",
    "from=2026-03-01&to=2026-03-31",
    "from=2026-03-01&page=500",
    "source=agent",
    "updated_since=2026-01-01T00:00:00Z&project_id=proj_7",
    "updated_since=2026-06-01T00:00:00Z&is_billed=true&page=100",
    "source=agent,cli&page=300",
    "is_running=true",
    "is_running=false&page=900",
    "is_billed=false&page=600",
    "updated_since=2026-12-24T00:00:00Z",
    "updated_since=2026-01-01T00:00:00Z&page=900",
    "project_id=nope",
    "per_page=2000",
)


def measure(server: SandboxServer, total: int) -> None:
    headers = {"Authorization": f"Bearer {server.api_key}", "Keito-Account-Id": server.account_id}
    print(f"{'query':58} {'found':>8} {'median ms':>10} {'worst ms':>9}")
    with httpx.Client(base_url=f"{server.url}/api/v2", headers=headers, timeout=60) as client:
        for query in QUERIES:
            path = f"/time_entries?{query.format(last=-(-total // 100))}"
            found = client.get(path).json()["total_entries"]
            times = [timed(client, path) for _ in range(REPEATS)]
            median = statistics.median(times)
            late = f"  over {LIMIT_MS:.0f} ms" if median > LIMIT_MS else ""
            print(f"{path:58} {found:>8,} {median:>10.1f} {max(times):>9.1f}{late}")


def timed(client: httpx.Client, path: str) -> float:
    begin = time.perf_counter()
    client.get(path).raise_for_status()
    return (time.perf_counter() - begin) * 1000


if __name__ == "__main__":
    main()
