"""Measure what it costs a program to have its spans billed.

    python -m benchmarks.otel

Each figure is the best of many short rounds with the garbage collector off, and what `KeitoSpanProcessor` adds to the
same spans without it, in turns. Records go nowhere. It fails when a target is missed.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

from benchmarks.figure import Figure
from keito.billing import AgentBilling
from keito.outbox import BillingRecord, FlushReport

ROUNDS = 60
SPANS = 100
AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5-mini"}
COUNTS = {
    "gen_ai.usage.input_tokens": 1900,
    "gen_ai.usage.output_tokens": 300,
    "gen_ai.usage.cache_read.input_tokens": 1024,
    "gen_ai.response.model": "gpt-5-mini-2025-08-07",
}


class Nowhere:
    """Takes records, and forgets them."""

    def deliver(self, records: Sequence[BillingRecord]) -> None:
        pass

    accept = deliver

    def flush(self, timeout: float = 10.0) -> FlushReport:  # noqa: ARG002
        return FlushReport()

    def close(self) -> None:
        pass


def model_calls(tracer: Any) -> None:
    for number in range(SPANS):
        with tracer.start_as_current_span("chat gpt-5-mini", attributes=CHAT) as span:
            span.set_attributes({**COUNTS, "gen_ai.response.id": f"chatcmpl-{time.perf_counter_ns():x}{number:09d}abc"})


def tools(tracer: Any) -> None:
    for _ in range(SPANS):
        with tracer.start_as_current_span("execute_tool", attributes={"gen_ai.operation.name": "execute_tool"}):
            pass


def others(tracer: Any) -> None:
    for _ in range(SPANS):
        with tracer.start_as_current_span("SELECT", attributes={"db.system.name": "postgresql"}):
            pass


def requests(tracer: Any) -> None:
    """Traces in which no agent works."""
    for _ in range(SPANS):
        with tracer.start_as_current_span("GET /", attributes={"http.request.method": "GET"}):
            pass


def microseconds(provider: TracerProvider, spans: Callable[[Any], None], *, in_agent: bool) -> float:
    tracer = provider.get_tracer("acme.agents")
    gc.collect()
    gc.disable()
    try:
        if not in_agent:
            began = time.perf_counter()
            spans(tracer)
            return (time.perf_counter() - began) / SPANS * 1e6
        with tracer.start_as_current_span("agent", attributes=AGENT):
            began = time.perf_counter()
            spans(tracer)
            return (time.perf_counter() - began) / SPANS * 1e6
    finally:
        gc.enable()


def added(title: str, spans: Callable[[Any], None], most: float, *, in_agent: bool = True) -> Figure:
    from keito_otel import KeitoSpanProcessor

    plain, billed = TracerProvider(shutdown_on_exit=False), TracerProvider(shutdown_on_exit=False)
    billing = AgentBilling(delivery=Nowhere(), project_id="p", task_id="t", expense_category_id="c")
    billed.add_span_processor(KeitoSpanProcessor(billing))
    rounds = [[microseconds(provider, spans, in_agent=in_agent) for provider in (plain, billed)] for _ in range(ROUNDS)]
    without, with_it = (min(column) for column in zip(*rounds))
    return Figure(f"{title} (by itself {without:,.0f} us)", with_it - without, "us", most)


def main() -> int:
    gc.freeze()
    figures = [
        added("span of a model call", model_calls, 25),
        added("span of a tool", tools, 25),
        added("span of something else in a run", others, 25),
        added("trace without an agent", requests, 25, in_agent=False),
    ]
    print(*figures, sep="\n")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
