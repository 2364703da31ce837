"""Measure what the LangChain handler costs an agent, beside handlers of others.

    python -m benchmarks.langchain

Contenders take turns in short blocks with the garbage collector off; the figures are medians of the differences to
the same block without a handler. They are wall clock, so a machine that does something else shows more. All work
happens inside one run of an agent, so that a figure is that of a model call, and includes what LangChain itself spends
on telling any handler. What the end of a run costs stands by itself: pricing and records, whether they are forgotten or
committed to an outbox in SQLite. Langfuse and OpenInference are measured where they are installed, for which `--peers`
makes a throw-away environment; they export to memory. It fails when a target is missed.
"""

# The signatures are those of LangChain and of deliveries.
# ruff: noqa: ARG002

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from keito_langchain import KeitoCallbackHandler
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda

from benchmarks.environments import ROOT, build
from keito.billing import AgentBilling, BillingPolicy
from keito.outbox import FlushReport

ROUNDS = 16
CALLS = 100
STREAMS = 20
"""In each block. The first ones find other things in the processor's caches, and take about twice as long."""
COUNTED: Any = {
    "usage_metadata": {
        "input_tokens": 1900,
        "output_tokens": 300,
        "total_tokens": 2200,
        "input_token_details": {"cache_read": 1024},
        "output_token_details": {"reasoning": 192},
    },
    "response_metadata": {"model_name": "gpt-5-mini-2025-08-07", "model_provider": "openai"},
}


class Model(BaseChatModel):
    """Answers at once."""

    @property
    def _llm_type(self) -> str:
        return "instant"

    def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("ok", **COUNTED))])

    async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        return self._generate(messages)

    def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for _ in range(50):
            yield ChatGenerationChunk(message=AIMessageChunk(content="word "))
        yield ChatGenerationChunk(message=AIMessageChunk(content="", **COUNTED))


class Nowhere:
    """Takes records and forgets them."""

    def deliver(self, records: Any) -> None:
        pass

    accept = deliver

    def flush(self, timeout: float = 10.0) -> FlushReport:
        return FlushReport()

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    title: str
    value: float
    unit: str = "us"
    most: float | None = None

    @property
    def met(self) -> bool:
        return self.most is None or self.value <= self.most

    def __str__(self) -> str:
        bound = "" if self.most is None else f"   at most {self.most:g}{'' if self.met else '   MISSED'}"
        return f"{self.title:<62} {self.value:>9.1f} {self.unit}{bound}"


model = Model()


@contextmanager
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def invoke() -> None:
    for _ in range(CALLS):
        model.invoke("hi")


async def ainvoke() -> None:
    for _ in range(CALLS):
        await model.ainvoke("hi")


def stream() -> None:
    for _ in range(STREAMS):
        for _ in model.stream("hi"):
            pass


def inside(handler: Any, work: Callable[[], None], times: int) -> float:
    """Microseconds of one piece of `work` inside a run of an agent."""
    took: list[float] = []

    def agent(_: str) -> str:
        with collector_off():
            begun = time.perf_counter()
            work()
            took.append(time.perf_counter() - begun)
        return "done"

    RunnableLambda(agent).invoke("hi", {"callbacks": [] if handler is None else [handler]})
    return took[0] / times * 1e6


def inside_async(handler: Any, work: Callable[[], Awaitable[None]], times: int) -> float:
    took: list[float] = []

    async def agent(_: str) -> str:
        with collector_off():
            begun = time.perf_counter()
            await work()
            took.append(time.perf_counter() - begun)
        return "done"

    runnable: Any = RunnableLambda(agent)
    asyncio.run(runnable.ainvoke("hi", {"callbacks": [] if handler is None else [handler]}))
    return took[0] / times * 1e6


def whole(handler: Any) -> float:
    """Microseconds of a run with nothing in it but one model call, its end and its bill included."""
    config: Any = {"callbacks": [] if handler is None else [handler]}
    with collector_off():
        begun = time.perf_counter()
        for _ in range(20):
            model.invoke("hi", config)
        return (time.perf_counter() - begun) / 20 * 1e6


def added(measure: Callable[[Any], float], handlers: dict[str, Any]) -> dict[str, float]:
    """What each handler adds: the median of the differences within rounds in which all take turns."""
    for handler in (None, *handlers.values()):
        measure(handler)
    rounds = [(measure(None), {name: measure(handler) for name, handler in handlers.items()}) for _ in range(ROUNDS)]
    return {name: statistics.median(times[name] - base for base, times in rounds) for name in handlers}


def contenders() -> dict[str, Any]:
    billing = AgentBilling(BillingPolicy("p", "t", "c"), delivery=Nowhere())
    found: dict[str, Any] = {
        "keito": KeitoCallbackHandler(billing),
        "UsageMetadataCallbackHandler": UsageMetadataCallbackHandler(),
    }
    for name, package, make in (("Langfuse", "langfuse", langfuse), ("OpenInference", "openinference", openinference)):
        if importlib.util.find_spec(package):
            found[name] = make()
        else:
            print(f"{name} is not measured: it is not installed (--peers installs it)")
    return found


def committed(folder: str) -> KeitoCallbackHandler:
    """A handler whose records another process would send from an outbox."""
    os.environ["KEITO_ACCOUNT_ID"] = "bench"
    outbox = f"sqlite:///{folder}/outbox.db"
    return KeitoCallbackHandler(AgentBilling(BillingPolicy("p", "t", "c"), outbox=outbox, deliver="by_relay"))


def langfuse() -> Any:
    from langfuse import Langfuse  # type: ignore[import-not-found]
    from langfuse.langchain import CallbackHandler  # type: ignore[import-not-found]
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    Langfuse(public_key="pk", secret_key="sk", base_url="http://127.0.0.1:9", span_exporter=InMemorySpanExporter())
    return CallbackHandler()


def openinference() -> Any:
    from openinference.instrumentation import OITracer, TraceConfig
    from openinference.instrumentation.langchain._tracer import OpenInferenceTracer
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    tracer = OITracer(provider.get_tracer("bench"), config=TraceConfig())
    return OpenInferenceTracer(tracer, separate_trace_from_runtime_context=False)


def speed() -> list[Figure]:
    handlers = contenders()
    kinds: list[tuple[str, Callable[[Any], float], float | None]] = [
        ("invoke", lambda handler: inside(handler, invoke, CALLS), 35),
        ("ainvoke", lambda handler: inside_async(handler, ainvoke, CALLS), 60),
        ("stream of 51 chunks", lambda handler: inside(handler, stream, STREAMS), 100),
        ("a whole run of one call, with its bill", whole, None),
    ]
    figures: list[Figure] = []
    for title, measure, most in kinds:
        values = added(measure, handlers)
        figures += [
            Figure(f"{title}: {name}", value, most=most if name == "keito" else None) for name, value in values.items()
        ]
        if title == "ainvoke":
            ratio = values["keito"] / values["UsageMetadataCallbackHandler"]
            figures.append(Figure("ainvoke: keito / UsageMetadataCallbackHandler", ratio, "x", 1))
        if title == "invoke" and "Langfuse" in values:
            figures.append(Figure("invoke: keito / Langfuse", values["keito"] / values["Langfuse"], "x", 0.2))
    with tempfile.TemporaryDirectory() as folder:
        handler = committed(folder)
        value = added(whole, {"keito": handler})["keito"]
        handler.billing.close()
    return [*figures, Figure("a whole run of one call, committed to SQLite: keito", value)]


def memory() -> list[Figure]:
    handler = KeitoCallbackHandler(AgentBilling(BillingPolicy("p", "t", "c"), delivery=Nowhere()))
    root, ids = uuid4(), [uuid4() for _ in range(1001)]
    handler.on_chain_start(None, {}, run_id=root, name="agent")
    about = {"ls_provider": "openai", "ls_model_name": "gpt-5-mini"}
    handler.on_chat_model_start({}, [[]], run_id=ids[-1], parent_run_id=root, metadata=about)
    gc.collect()
    tracemalloc.start()
    for run_id in ids[:-1]:
        handler.on_chat_model_start({}, [[]], run_id=run_id, parent_run_id=root, metadata=about)
    held = tracemalloc.get_traced_memory()[0] / 1000
    tracemalloc.stop()
    handler.on_chain_end("done", run_id=root)
    config: Any = {"callbacks": [handler]}
    tracemalloc.start()
    kept = 0.0
    for runs in (2000, 1000):  # after the first ones, Python's own free lists have their size
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(runs):
            model.invoke("hi", config)
        gc.collect()
        kept = (tracemalloc.get_traced_memory()[0] - before) / runs
    tracemalloc.stop()
    return [
        Figure("memory of an open model call", held, "bytes", 600),
        Figure("memory of a finished run", max(kept, 0.0), "bytes", 5),
    ]


def imports() -> Figure:
    """Milliseconds that importing the handler takes beyond langchain-core's own callbacks."""
    program = (
        "import time\n"
        "from langchain_core.callbacks import BaseCallbackHandler\n"
        "begun = time.perf_counter()\n"
        "from keito_langchain import KeitoCallbackHandler\n"
        "print((time.perf_counter() - begun) * 1000)"
    )
    command = [sys.executable, "-c", program]
    times = [float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(9)]
    return Figure("import beyond langchain-core", statistics.median(times), "ms", 10)


def with_peers() -> int:
    with tempfile.TemporaryDirectory() as folder:
        peers = ("langfuse", "openinference-instrumentation-langchain")
        python = build(Path(folder), "peers", f"{ROOT}[langchain,sandbox]", "langchain", *peers)
        return subprocess.run([str(python), "-m", "benchmarks.langchain"], check=False, cwd=ROOT).returncode


def main() -> int:
    options = argparse.ArgumentParser(description="Measure the LangChain handler")
    options.add_argument("--peers", action="store_true", help="install other handlers and measure them, too")
    if options.parse_args().peers:
        return with_peers()
    os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")
    gc.freeze()
    figures = [imports(), *memory(), *speed()]
    print(*figures, sep="\n")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
