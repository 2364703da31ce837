"""One workload in one process: `python workload.py CLIENT WORKLOAD URL`; prints its figures as JSON.

CLIENT is `keito` (whichever version is installed) or `httpx`. The file imports nothing of the project, so that the
same program runs in every environment.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Figures = dict[str, float]

BODY: Any = {
    "project_id": "p",
    "task_id": "t",
    "spent_date": "2026-03-05",
    "hours": 1.5,
    "notes": "n",
    "source": "agent",
}
HEADERS = {"Authorization": "Bearer kto_bench", "Keito-Account-Id": "acc_bench"}
TASKS = 32


def client(url: str, asynchronous: bool = False) -> Any:
    import keito

    return (keito.AsyncKeito if asynchronous else keito.Keito)(
        api_key="kto_bench", account_id="acc_bench", base_url=url
    )


def timed(calls: int, one: Callable[[], object]) -> Figures:
    for _ in range(100):
        one()
    times = []
    cpu = time.process_time()
    begun = time.perf_counter()
    for _ in range(calls):
        start = time.perf_counter()
        one()
        times.append(time.perf_counter() - start)
    wall = time.perf_counter() - begun
    cpu = time.process_time() - cpu
    quantiles = statistics.quantiles(times, n=100)
    return {
        "p50_us": quantiles[49] * 1e6,
        "p99_us": quantiles[98] * 1e6,
        "cpu_us": cpu / calls * 1e6,
        "per_s": calls / wall,
    }


def create(name: str, url: str) -> Figures:
    if name == "httpx":
        import httpx

        http = httpx.Client(base_url=url, headers=HEADERS)
        return timed(1500, lambda: http.post("/api/v2/time_entries", json=BODY).json())
    keito = client(url)
    return timed(1500, lambda: keito.time_entries.create(**BODY))


def listing(name: str, url: str, per_page: int, total: int, **options: int) -> Figures:
    if name == "httpx":
        import httpx

        http = httpx.Client(base_url=url, headers=HEADERS)

        def items() -> Iterable[object]:
            for number in range(1, 100_000 // per_page + 1):
                answer = http.get("/api/v2/time_entries", params={"page": number, "per_page": per_page})
                yield from answer.json()["time_entries"]
    else:
        keito = client(url)

        def items() -> Iterable[object]:
            pager: Iterable[object] = keito.time_entries.list(per_page=per_page, **options)
            return pager

    for _ in zip(range(per_page), items()):
        pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu = time.process_time()
    begun = time.perf_counter()
    count = sum(1 for _ in zip(range(total), items()))
    wall = time.perf_counter() - begun
    cpu = time.process_time() - cpu
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert count == total, count
    return {
        "items_per_s": total / wall,
        "cpu_us": cpu / total * 1e6,
        "rss_mb": after / 1024,
        "growth_mb": (after - before) / 1024,
    }


def list_100(name: str, url: str) -> Figures:
    return listing(name, url, 100, 100_000)


def list_2000(name: str, url: str) -> Figures:
    return listing(name, url, 2000, 100_000)


def list_latency(name: str, url: str) -> Figures:
    options = {"prefetch": 4} if "--prefetch" in sys.argv else {}
    return listing(name, url, 100, 20_000, **options)


async def _concurrent(calls: int, one: Callable[[], Awaitable[object]]) -> Figures:
    async def worker(count: int) -> None:
        for _ in range(count):
            await one()

    await asyncio.gather(*(worker(3) for _ in range(TASKS)))
    cpu = time.process_time()
    begun = time.perf_counter()
    await asyncio.gather(*(worker(calls // TASKS) for _ in range(TASKS)))
    wall = time.perf_counter() - begun
    return {"per_s": calls // TASKS * TASKS / wall, "cpu_us": (time.process_time() - cpu) / calls * 1e6}


async def _acreate(name: str, url: str) -> Figures:
    if name == "httpx":
        import httpx

        async with httpx.AsyncClient(base_url=url, headers=HEADERS) as http:
            return await _concurrent(960, lambda: http.post("/api/v2/time_entries", json=BODY))
    async with client(url, asynchronous=True) as keito:
        return await _concurrent(960, lambda: keito.time_entries.create(**BODY))


def acreate(name: str, url: str) -> Figures:
    return asyncio.run(_acreate(name, url))


def bare_import(name: str, _: str) -> Figures:
    start = time.perf_counter()
    __import__(name)
    return {"ms": (time.perf_counter() - start) * 1e3}


def client_import(name: str, _: str) -> Figures:
    start = time.perf_counter()
    exec("from keito import Keito" if name == "keito" else "import httpx, pydantic; pydantic.BaseModel")
    return {"ms": (time.perf_counter() - start) * 1e3}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[2]](sys.argv[1], sys.argv[3])))
