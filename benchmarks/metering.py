"""Measure what it costs an agent to have its model calls metered.

    python -m benchmarks.metering

Each figure is the best of many short rounds with the garbage collector off, so that a busy machine does not count.
Overhead is that of a metered client over the same client by itself, which take turns; answers come from memory.
It fails when a target is missed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from benchmarks.figure import Figure
from keito.metering import AgentRun, LLMCall, Usage, meter, usage_of

ROUNDS = 40
CALLS = 50
ASK: Any = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]}
USAGE = {
    "prompt_tokens": 1900,
    "completion_tokens": 300,
    "total_tokens": 2200,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0},
}
MESSAGE_USAGE = {
    "input_tokens": 20,
    "output_tokens": 100,
    "cache_read_input_tokens": 400,
    "cache_creation_input_tokens": 300,
    "service_tier": "standard",
}


def chat(number: int = 1) -> dict[str, Any]:
    message = {"role": "assistant", "content": "word " * 100}
    return {
        "id": f"chatcmpl-{number:030d}",
        "object": "chat.completion",
        "created": 1741569952,
        "model": "gpt-5-mini-2025-08-07",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
    }


def chunks(words: int = 100) -> bytes:
    about = {**chat(), "object": "chat.completion.chunk", "usage": None}
    events: list[Any] = [
        {**about, "choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]} for _ in range(words)
    ]
    events += [{**about, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
    events += [{**about, "choices": [], "usage": USAGE}]
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"


def message() -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [{"type": "text", "text": "word " * 100}],
        "stop_reason": "end_turn",
        "usage": MESSAGE_USAGE,
    }


def seconds(one: Callable[[], object], calls: int = CALLS) -> float:
    gc.collect()
    gc.disable()
    try:
        begun = time.perf_counter()
        for _ in range(calls):
            one()
        return (time.perf_counter() - begun) / calls
    finally:
        gc.enable()


def best(*ways: Callable[[], object], calls: int = CALLS) -> list[float]:
    """Microseconds of each way, in turns."""
    rounds = [[seconds(way, calls) for way in ways] for _ in range(ROUNDS)]
    return [min(column) * 1e6 for column in zip(*rounds)]


def call(number: int) -> LLMCall:
    """A call as a metered client records it; all differ, as an agent's do."""
    now = datetime.now(timezone.utc)
    usage = Usage(1900 + number, 300 + number, cache_read_tokens=1024 + number, reasoning_tokens=192)
    return LLMCall(
        started_at=now,
        ended_at=datetime.now(timezone.utc),
        provider="openai",
        requested_model="gpt-5-mini",
        served_model="gpt-5-mini-2025-08-07",
        usage=usage,
        response_id=f"chatcmpl-{number:030d}",
    )


def record() -> Figure:
    def one_run() -> float:
        run, calls = AgentRun(), [call(number) for number in range(1000)]
        begun = time.perf_counter()
        for made in calls:
            run.record(made)
        return (time.perf_counter() - begun) / len(calls)

    return Figure("run.record of a call", min(one_run() for _ in range(ROUNDS)) * 1e6, "us", 10)


def reading() -> Figure:
    answer = chat()
    return Figure("usage_of an answer as a dictionary", best(lambda: usage_of(answer))[0], "us", 50)


def memory() -> Figure:
    call(0)
    gc.collect()
    tracemalloc.start()
    kept = [call(number) for number in range(1000)]
    size = tracemalloc.get_traced_memory()[0] / len(kept)
    tracemalloc.stop()
    return Figure("memory of a call", size, "bytes", 600)


def http(library: Any, answer: Any) -> tuple[Any, Any]:
    """The HTTP clients of a provider's library, whose server is in memory."""
    inner: Any = sys.modules[library.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]

    def handle(_: Any) -> Any:
        if isinstance(answer, bytes):
            return inner.Response(200, content=answer, headers={"content-type": "text/event-stream"})
        return inner.Response(200, json=answer)

    transport = inner.MockTransport(handle)
    return inner.Client(transport=transport), inner.AsyncClient(transport=transport)


def overhead(title: str, library: Any, answer: Any, use: Callable[[Any], object], *, calls: int = CALLS) -> Figure:
    kind = library.OpenAI if hasattr(library, "OpenAI") else library.Anthropic
    plain, metered = (
        kind(api_key="k", http_client=http(library, answer)[0]),
        kind(api_key="k", http_client=http(library, answer)[0]),
    )
    meter(metered)

    def in_a_run(client: Any) -> None:
        with AgentRun():
            use(client)

    without, with_it = best(lambda: in_a_run(plain), lambda: in_a_run(metered), calls=calls)
    return Figure(f"{title} (by itself {without:,.0f} us)", with_it - without, "us", 50)


def asynchronous(library: Any) -> Figure:
    async def main() -> Figure:
        clients = [library.AsyncOpenAI(api_key="k", http_client=http(library, chat())[1]) for _ in range(2)]
        meter(clients[1])

        async def measure(client: Any) -> float:
            gc.collect()
            gc.disable()
            begun = time.perf_counter()
            for _ in range(CALLS):
                with AgentRun():
                    await client.chat.completions.create(**ASK)
            gc.enable()
            return (time.perf_counter() - begun) / CALLS * 1e6

        rounds = [[await measure(client) for client in clients] for _ in range(ROUNDS)]
        without, with_it = (min(column) for column in zip(*rounds))
        return Figure(f"asynchronous chat (by itself {without:,.0f} us)", with_it - without, "us", 50)

    return asyncio.run(main())


def clients() -> list[Figure]:
    try:
        import anthropic
        import openai
    except ImportError:
        print("The clients are not measured: openai and anthropic are not installed")
        return []
    claude: Any = {**ASK, "model": "claude-test", "max_tokens": 9}
    streamed: Any = {**ASK, "stream": True, "stream_options": {"include_usage": True}}
    stream = overhead(
        "102 chunks", openai, chunks(), lambda client: list(client.chat.completions.create(**streamed)), calls=5
    )
    return [
        overhead("openai: chat", openai, chat(), lambda client: client.chat.completions.create(**ASK)),
        asynchronous(openai),
        overhead("anthropic: message", anthropic, message(), lambda client: client.messages.create(**claude)),
        Figure(f"openai: a chunk of a stream of {stream.title}", stream.value / 102, "us", 5),
    ]


def main() -> int:
    gc.freeze()
    figures = [record(), reading(), memory(), *clients()]
    print(*figures, sep="\n")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
