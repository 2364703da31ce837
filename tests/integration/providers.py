"""A server on loopback that speaks the protocols of OpenAI and Anthropic."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Optional

from keito.metering import Usage

from .serving import serving

CHAT_USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
    "completion_tokens_details": {"reasoning_tokens": 60},
}
CHAT = Usage(1000, 100, cache_read_tokens=400, reasoning_tokens=60)
RESPONSE_USAGE = {
    "input_tokens": 1000,
    "output_tokens": 100,
    "total_tokens": 1100,
    "input_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 60},
}
MESSAGE_USAGE = {
    "input_tokens": 20,
    "output_tokens": 100,
    "cache_read_input_tokens": 400,
    "cache_creation_input_tokens": 300,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
    "service_tier": "standard",
}
MESSAGE = Usage(
    720,
    100,
    cache_read_tokens=400,
    cache_write_tokens=300,
    cache_write_5m_tokens=200,
    cache_write_1h_tokens=100,
)
EMBEDDINGS = 8


@dataclass
class Stub:
    """What the server is to answer, and what it was asked.

    Attributes:
        url: Its address.
        text: The text of answers.
        usage: Replaces the usage of answers; `False` leaves it out.
        status: The status to answer with.
        refused: A model that is refused with status 404.
        words: How many pieces a stream has.
        break_after: After how many pieces the connection breaks.
        gate: What a stream waits for after its first piece.
        turns: Tool calls of the answers to come, one list of names and arguments for each; then they have none.
        bodies: The requests so far.
        answered: Ids of the answers so far.
    """

    url: str = ""
    text: str = '{"number": 7}'
    usage: Any = None
    status: int = 200
    refused: Optional[str] = None
    words: int = 3
    break_after: Optional[int] = None
    gate: Optional[threading.Event] = None
    turns: list[list[tuple[str, dict[str, Any]]]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)

    def new_id(self, prefix: str) -> str:
        self.answered.append(f"{prefix}{len(self.answered) + 1:030d}")
        return self.answered[-1]

    def tool_calls(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Ids, names and arguments of the tool calls of the next answer."""
        turn = self.turns.pop(0) if self.turns else []
        return [(f"call_{len(self.turns)}_{number}", name, args) for number, (name, args) in enumerate(turn)]

    def counted(self, usage: Any) -> Any:
        """The usage to answer with."""
        return None if self.usage is False else self.usage or usage


def chat(stub: Stub, body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": stub.text, "refusal": None}
    calls = stub.tool_calls()
    if calls:
        function = [{"name": name, "arguments": json.dumps(args)} for _, name, args in calls]
        ids = [call_id for call_id, _, _ in calls]
        message["tool_calls"] = [{"id": i, "type": "function", "function": f} for i, f in zip(ids, function)]
    return {
        "id": stub.new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": 1741569952,
        "model": body["model"] + "-2025-08-07",
        "service_tier": "default",
        "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop", "logprobs": None}
        ],
        "usage": stub.counted(CHAT_USAGE),
    }


def chat_events(stub: Stub, body: dict[str, Any]) -> Iterator[Any]:
    whole = chat(stub, body)
    about = {**whole, "object": "chat.completion.chunk", "usage": None}
    deltas: list[Any] = [{"role": "assistant", "content": ""}, *({"content": "a"} for _ in range(stub.words))]
    calls = whole["choices"][0]["message"].get("tool_calls", ())
    deltas += [{"tool_calls": [{"index": number, **call}]} for number, call in enumerate(calls)]
    for delta in deltas:
        yield {**about, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**about, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if (body.get("stream_options") or {}).get("include_usage") and whole["usage"]:
        yield {**about, "choices": [], "usage": whole["usage"]}
    yield "[DONE]"


def completion(stub: Stub, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": stub.new_id("cmpl-"),
        "object": "text_completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "text": "ok", "finish_reason": "stop", "logprobs": None}],
        "usage": stub.counted({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}),
    }


def response(stub: Stub, body: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "output_text", "text": stub.text, "annotations": []}
    return {
        "id": stub.new_id("resp_"),
        "object": "response",
        "created_at": 1741476542,
        "status": "completed",
        "model": body["model"] + "-2025-08-07",
        "service_tier": "flex",
        "output": [{"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [text]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": stub.counted(RESPONSE_USAGE),
    }


def response_events(stub: Stub, body: dict[str, Any]) -> Iterator[Any]:
    whole = response(stub, body)
    item = {**whole["output"][0], "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    yield {"type": "response.created", "response": {**whole, "status": "in_progress", "output": [], "usage": None}}
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    yield {"type": "response.content_part.added", **place, "part": part}
    for _ in range(stub.words):
        yield {"type": "response.output_text.delta", **place, "delta": "a", "logprobs": []}
    yield {"type": "response.completed", "response": whole}


def embeddings(stub: Stub, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "object": "list",
        "model": body["model"],
        "data": [{"object": "embedding", "index": 0, "embedding": "AAAAPwAAgD8="}],
        "usage": stub.counted({"prompt_tokens": EMBEDDINGS, "total_tokens": EMBEDDINGS}),
    }


def message(stub: Stub, body: dict[str, Any]) -> dict[str, Any]:
    calls = [{"type": "tool_use", "id": i, "name": name, "input": args} for i, name, args in stub.tool_calls()]
    return {
        "id": stub.new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": body["model"] + "-20250929",
        "content": [{"type": "text", "text": stub.text}, *calls],
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": stub.counted(MESSAGE_USAGE),
    }


def message_events(stub: Stub, body: dict[str, Any]) -> Iterator[Any]:
    whole = message(stub, body)
    usage = whole["usage"] or {"input_tokens": 0, "output_tokens": 0}
    started = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": started}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "ping"}
    for _ in range(stub.words):
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
    yield {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    # Sums so far, but without the lifetimes of what was written to the cache.
    sums = {name: count for name, count in usage.items() if name.endswith("_tokens")}
    yield {"type": "message_delta", "delta": ended, "usage": sums}
    yield {"type": "message_stop"}


WHOLE: Any = {
    "chat/completions": chat,
    "completions": completion,
    "responses": response,
    "embeddings": embeddings,
    "messages": message,
}
STREAMED: Any = {"chat/completions": chat_events, "responses": response_events, "messages": message_events}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: Stub

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.stub.bodies.append(body)
        path = next(known for known in WHOLE if self.path.partition("?")[0].endswith("/" + known))
        if self.stub.status >= 400:
            self._whole({"error": {"type": "api_error", "message": "no"}}, self.stub.status)
        elif body.get("model") == self.stub.refused:
            self._whole({"error": {"type": "not_found_error", "message": "no such model"}}, 404)
        elif body.get("stream"):
            with contextlib.suppress(ConnectionError):  # who stops reading
                self._events(STREAMED[path](self.stub, body))
        else:
            self._whole(WHOLE[path](self.stub, body), 200)

    def _whole(self, answer: Any, status: int) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _events(self, events: Iterator[Any]) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, event in enumerate(events):
            if number == self.stub.break_after:
                return  # without the end of the chunked body
            if number == 1 and self.stub.gate is not None:
                self.stub.gate.wait(30)
            self._send(self._named(event))
        self.wfile.write(b"0\r\n\r\n")

    def _named(self, event: Any) -> bytes:
        data = event if isinstance(event, str) else json.dumps({"sequence_number": 0, **event})
        name = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
        return f"{name}data: {data}\n\n".encode()

    def _send(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def served() -> AbstractContextManager[Stub]:
    """A server while the block lasts."""
    return serving(Stub(), Handler)
