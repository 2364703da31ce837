"""Measure what it costs a crew to be billed, beside OpenInference's listener where that is installed.

    make bench-crewai

A call is the two events that CrewAI emits for it, with CrewAI's own handlers, until all handlers have run; what is
printed is the CPU time, of all threads, that a listener adds. A kickoff is the beginning and end of a billed one.
Rounds with and without a listener take turns, and the median of the differences counts. It fails when a target is
missed.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keito.billing import AgentBilling, BillingPolicy
from keito.outbox import BillingRecord, FlushReport

ROUNDS, CALLS, KICKOFFS = 31, 200, 50
MOST_PER_CALL, MOST_PER_KICKOFF = 100.0, 1000.0
"""Microseconds."""

Run = Callable[[], None]


class Nowhere:
    """A delivery that forgets."""

    def deliver(self, records: Sequence[BillingRecord]) -> None: ...

    def accept(self, records: Sequence[BillingRecord]) -> None: ...

    def flush(self, timeout: float = 10.0) -> FlushReport:  # noqa: ARG002
        return FlushReport()

    def close(self) -> None: ...


@dataclass(frozen=True)
class Listener:
    """Something that listens to the bus."""

    name: str
    start: Run
    stop: Run
    most: float = float("inf")


def stay_here() -> None:
    """CrewAI writes into the home directory, and reports to its makers, from its import on."""
    os.environ.update(
        HOME=tempfile.mkdtemp(prefix="keito-bench-"),
        CREWAI_DISABLE_TELEMETRY="true",
        CREWAI_TRACING_ENABLED="false",
        CREWAI_STORAGE_DIR="keito-bench",
        OPENAI_API_KEY="none",
    )


def seconds(work: Run) -> float:
    """CPU time of all threads: handlers run in those of the bus."""
    gc.collect()
    gc.disable()
    began = time.process_time()
    work()
    took = time.process_time() - began
    gc.enable()
    return took


def added(work: Run, listener: Listener) -> float:
    """Seconds that a listener adds to some work."""
    differences: list[float] = []
    for _ in range(ROUNDS):
        without = seconds(work)
        listener.start()
        differences.append(seconds(work) - without)
        listener.stop()
    return statistics.median(differences)


def calls(model: Any) -> Run:
    from crewai.events.event_bus import crewai_event_bus
    from crewai.events.types.llm_events import LLMCallType
    from crewai.llms.base_llm import llm_call_context

    usage = {"prompt_tokens": 1900, "completion_tokens": 300, "total_tokens": 2200, "cached_prompt_tokens": 1024}
    messages: Any = [{"role": "user", "content": "word " * 100}]

    def run() -> None:
        for _ in range(CALLS):
            with llm_call_context():
                model._emit_call_started_event(messages=messages)
                model._emit_call_completed_event("word", LLMCallType.LLM_CALL, messages=messages, usage=usage)
        crewai_event_bus.flush()

    return run


def keito(billing: AgentBilling, crew: Any) -> Listener:
    from crewai.events.event_bus import crewai_event_bus
    from keito_crewai import listener
    from keito_crewai.binding import Binding
    from keito_crewai.execution import Execution, Subject

    open_now: list[Execution] = []

    def start() -> None:
        open_now.append(Execution(Binding(billing), Subject(crew, "bench", {})))
        open_now[0].__enter__()

    def stop() -> None:
        open_now.pop().__exit__(None, None, None)
        for kind, handler in listener._handlers().items():
            crewai_event_bus.off(kind, handler)

    return Listener("keito", start, stop, MOST_PER_CALL)


def openinference() -> Listener | None:
    try:
        from openinference.instrumentation.crewai import CrewAIInstrumentor
    except ImportError:
        return None
    from opentelemetry.sdk.trace import TracerProvider

    instrumentor = CrewAIInstrumentor()

    def start() -> None:
        instrumentor.instrument(tracer_provider=TracerProvider(), use_event_listener=True, skip_dep_check=True)

    return Listener("OpenInference", start, instrumentor.uninstrument)


def kickoff_overhead(billing: AgentBilling, crew: Any) -> float:
    """Seconds that the beginning and end of a billed kickoff take."""
    from keito_crewai.binding import Binding
    from keito_crewai.execution import Execution, Subject

    def run() -> None:
        for _ in range(KICKOFFS):
            with Execution(Binding(billing), Subject(crew, "bench", {"topic": "bees"})) as execution:
                execution.keep(None)

    run()
    return statistics.median(seconds(run) for _ in range(ROUNDS)) / KICKOFFS


def main() -> int:
    stay_here()
    from crewai import LLM, Agent, Crew, Task

    model = LLM("openai/gpt-5-mini")
    agent = Agent(role="bench", goal="g", backstory="b", llm=model)
    crew = Crew(agents=[agent], tasks=[Task(description="d", expected_output="e", agent=agent)])
    billing = AgentBilling(BillingPolicy("proj", "task", "cat"), delivery=Nowhere())
    work = calls(model)
    work()
    missed = 0
    for listener in (keito(billing, crew), openinference()):
        if listener is not None:
            each = added(work, listener) / CALLS * 1e6
            missed += each > listener.most
            print(f"{listener.name + ', a model call':<40} {each:>9.1f} us   at most {listener.most:g}")
    each = kickoff_overhead(billing, crew) * 1e6
    missed += each > MOST_PER_KICKOFF
    print(f"{'keito, a kickoff':<40} {each:>9.1f} us   at most {MOST_PER_KICKOFF:g}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
