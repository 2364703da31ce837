"""Measure what metering and billing cost an agent.

    python -m benchmarks.billing

It prints the best of several rounds for each, and the target; it fails when a target is missed.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from benchmarks.figure import Figure
from keito.billing import AgentBilling, BillingPolicy, Budget, records_for
from keito.metering import AgentRun, LLMCall, Usage
from keito.metering.events import CALLS_KEPT
from keito.outbox import BillingRecord, FlushReport

ROUNDS = 7
NOW = datetime(2026, 11, 20, 9, tzinfo=timezone.utc)
POLICY = BillingPolicy("proj", "task", "cat", timezone="UTC")


class Nowhere:
    """A delivery that forgets."""

    def deliver(self, records: list[BillingRecord]) -> None: ...

    def accept(self, records: list[BillingRecord]) -> None: ...

    def flush(self, timeout: float = 10.0) -> FlushReport:  # noqa: ARG002
        return FlushReport()

    def close(self) -> None: ...


def calls(count: int) -> list[LLMCall]:
    """Calls that all differ, as an agent's do."""
    models = ("gpt-5-mini", "gpt-5", "gpt-4o-mini")
    return [
        LLMCall(
            NOW,
            NOW,
            provider="openai",
            served_model=models[number % 3],
            usage=Usage(input_tokens=1000 + number, output_tokens=100 + number, cache_read_tokens=number),
            response_id=f"resp-{number}",
        )
        for number in range(count)
    ]


def best(work: Callable[[], object], repeat: int = 1) -> float:
    """Seconds of the best round, for one of `repeat`."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) / repeat)
    return min(times)


def billing(**fields: Any) -> AgentBilling:
    return AgentBilling(POLICY, delivery=Nowhere(), **fields)  # type: ignore[arg-type]


def recording(count: int, **fields: Any) -> float:
    """Microseconds to record one of `count` calls in a run of a billing."""
    given, owner = calls(count), billing(**fields)

    def work() -> None:
        run = owner.start()
        for call in given:
            run.record(call)

    return best(work, count) * 1e6


def folding(count: int) -> float:
    """Microseconds to record a call that the run keeps no longer, since it has as many as it keeps."""
    given, owner = calls(count + CALLS_KEPT), billing()

    def prepared() -> AgentRun:
        run = owner.start()
        for call in given[:CALLS_KEPT]:
            run.record(call)
        return run

    times = []
    for _ in range(ROUNDS):
        run, begin = prepared(), time.perf_counter()
        for call in given[CALLS_KEPT:]:
            run.record(call)
        times.append((time.perf_counter() - begin) / count)
    return min(times) * 1e6


def by_hand(count: int) -> float:
    owner = billing()

    def work() -> None:
        run = owner.start()
        for number in range(count):
            run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=number, output_tokens=1)

    return best(work, count) * 1e6


def records(count: int) -> float:
    """Milliseconds for the records of a run with `count` calls."""
    run = billing().start("bench")
    for call in calls(count):
        run.record(call)
    run.end()
    return best(lambda: records_for(run, POLICY)) * 1e3


def rolled_up(runs: int) -> float:
    """Microseconds to start, end and roll up a run with one call."""
    owner, (call,) = billing(rollup="day"), calls(1)

    def work() -> None:
        for _ in range(runs):
            run = owner.start()
            run.record(call)
            owner.finish(run)

    return best(work, runs) * 1e6


def memory(count: int) -> float:
    """Bytes that a call of a run takes, while it is kept."""
    run = billing().start()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(count):
        run.record_llm_call(
            provider="openai",
            model="gpt-5-mini",
            input_tokens=10_000 + number,
            output_tokens=1_000 + number,
            response_id=f"chatcmpl-{number:032}",
        )
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return taken / count


def main() -> int:
    recording(1000)  # the first price loads the table
    figures = [
        Figure("run.record of a call that is kept", recording(256), "us", 10),
        Figure("run.record of a call that is priced and folded", folding(1000), "us", 100),
        Figure("run.record with a token budget", recording(256, budget=Budget(max_tokens=10**9)), "us", 10),
        Figure("run.record with a cost budget", recording(256, budget=Budget(max_cost=Decimal(10**6))), "us", 100),
        Figure("run.record_llm_call by hand", by_hand(256), "us", 20),
        Figure("records_for, 1,000 calls, all kept", records(1000), "ms", 10),
        Figure("records_for, 10,000 calls, most of them folded", records(10_000), "ms", 20),
        Figure("a run of one call, rolled up", rolled_up(200), "us", 400),
        Figure("memory of a kept call", memory(256), "bytes", 600),
        Figure("memory of a call, run of 10,000", memory(10_000), "bytes", 200),
    ]
    for figure in figures:
        print(figure)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
