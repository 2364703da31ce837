"""An OpenAI on loopback that counts other tokens for each call, so that every sum can be checked exactly."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Optional, Union

from ..serving import serving

Answer = Union[str, dict[str, Any], int]
"""A text, a tool call `{"name": ..., "arguments": ...}`, or the status of a refusal."""

_CHATS = ("chat/completions", "messages")

FINAL = "Thought: I now can give a great answer\nFinal Answer: done."


@dataclass
class Served:
    """A call that was answered, and is charged for.

    Attributes:
        path: What was called.
        model: The requested model.
        text: All that was asked, as JSON.
        tokens_in: What it counted.
        tokens_out: The same for the output.
        response_id: The id of the answer.
    """

    path: str
    model: str
    text: str
    tokens_in: int
    tokens_out: int
    response_id: str


@dataclass
class StubOpenAI:
    """What the server is to answer, and what it was asked.

    Attributes:
        url: Its address.
        script: Answers to give one by one, before all others.
        answer: Answers a request when the script is empty.
        gate: What answers wait for, if anything.
        gated: Which ones do: those to what this stands in.
        asked: How many requests there were, refused ones included.
        served: The calls that were answered.
        usage_of_streams: Whether streams tell their usage.
        answers: What was answered, by response id.
    """

    url: str = ""
    script: deque[Answer] = field(default_factory=deque)
    answer: Callable[[dict[str, Any]], Answer] = lambda body: FINAL
    gate: Optional[threading.Event] = None
    gated: str = ""
    asked: int = 0
    served: list[Served] = field(default_factory=list)
    usage_of_streams: bool = True
    answers: dict[str, Answer] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.RLock)

    def tokens(self, mark: str = "") -> tuple[int, int]:
        """Tokens in and out of the chats in which `mark` stands."""
        found = [call for call in self.chats if mark in call.text]
        return sum(call.tokens_in for call in found), sum(call.tokens_out for call in found)

    @property
    def chats(self) -> list[Served]:
        return [call for call in self.served if call.path.endswith(_CHATS)]

    @property
    def embeddings(self) -> list[Served]:
        return [call for call in self.served if call.path.endswith("embeddings")]

    def serve(self, path: str, body: dict[str, Any]) -> Union[Served, int]:
        with self.lock:
            self.asked += 1
            is_chat = path.endswith(_CHATS)
            answer = "" if not is_chat else self.script.popleft() if self.script else self.answer(body)
            if isinstance(answer, int):
                return answer
            number = len(self.served) + 1
            kind = "chatcmpl" if is_chat else "embd"
            served = Served(
                path, body["model"], json.dumps(body), 1000 + 7 * number, 50 + number, f"{kind}-{id(self)}-{number}"
            )
            self.served.append(served)
            self.answers[served.response_id] = answer
        return served

    def usage(self, served: Served) -> dict[str, Any]:
        return {
            "prompt_tokens": served.tokens_in,
            "completion_tokens": served.tokens_out,
            "total_tokens": served.tokens_in + served.tokens_out,
            "prompt_tokens_details": {"cached_tokens": 16},
            "completion_tokens_details": {"reasoning_tokens": 8},
        }

    def message(self, served: Served) -> dict[str, Any]:
        answer = self.answers[served.response_id]
        if isinstance(answer, dict):
            function = {"name": answer["name"], "arguments": json.dumps(answer["arguments"])}
            call = {"id": f"call_{served.response_id}", "type": "function", "function": function}
            return {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}
        return {"role": "assistant", "content": answer, "refusal": None}

    def chat(self, served: Served) -> dict[str, Any]:
        message = self.message(served)
        reason = "tool_calls" if "tool_calls" in message else "stop"
        return {
            "id": served.response_id,
            "object": "chat.completion",
            "created": 1741569952,
            "model": served.model + "-2025-08-07",
            "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
            "usage": self.usage(served),
        }

    def anthropic_message(self, served: Served) -> dict[str, Any]:
        """The same in Anthropic's terms, who counts the cache beside the input."""
        usage = {
            "input_tokens": served.tokens_in - 48,
            "output_tokens": served.tokens_out,
            "cache_read_input_tokens": 16,
            "cache_creation_input_tokens": 32,
        }
        return {
            "id": served.response_id,
            "type": "message",
            "role": "assistant",
            "model": served.model,
            "content": [{"type": "text", "text": self.answers[served.response_id]}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": usage,
        }

    def events(self, served: Served, body: dict[str, Any]) -> Iterator[Any]:
        whole = self.chat(served)
        about = {**whole, "object": "chat.completion.chunk", "usage": None}
        message = self.message(served)
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if "tool_calls" in message:
            deltas.append({"tool_calls": [{**message["tool_calls"][0], "index": 0}]})
        else:
            deltas += [{"content": word} for word in re.findall(r"\s*\S+", message["content"])]
        for delta in deltas:
            yield {**about, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        reason = whole["choices"][0]["finish_reason"]
        yield {**about, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
        if (body.get("stream_options") or {}).get("include_usage") and self.usage_of_streams:
            yield {**about, "choices": [], "usage": whole["usage"]}
        yield "[DONE]"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: StubOpenAI

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = self.stub.serve(self.path, body)
        if self.stub.gate is not None and self.stub.gated in json.dumps(body):
            self.stub.gate.wait(30)
        if isinstance(found, int):
            self._json(found, {"error": {"message": f"refused with {found}", "type": "server_error", "code": None}})
        elif self.path.endswith("embeddings"):
            self._json(200, self._embeddings(found, body))
        elif self.path.endswith("messages"):
            self._json(200, self.stub.anthropic_message(found))
        elif body.get("stream"):
            self._stream(found, body)
        else:
            self._json(200, self.stub.chat(found))

    def _embeddings(self, served: Served, body: dict[str, Any]) -> dict[str, Any]:
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        rows = [{"object": "embedding", "index": n, "embedding": [0.1] * 1536} for n, _ in enumerate(texts)]
        usage = {"prompt_tokens": served.tokens_in, "total_tokens": served.tokens_in}
        return {"object": "list", "data": rows, "model": served.model, "usage": usage}

    def _json(self, status: int, answer: Any) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Retry-After-Ms", "1")
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, served: Served, body: dict[str, Any]) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in self.stub.events(served, body):
            data = event if isinstance(event, str) else json.dumps(event)
            self.wfile.write(f"data: {data}\n\n".encode())
            self.wfile.flush()


def served() -> AbstractContextManager[StubOpenAI]:
    """A server while the block lasts."""
    return serving(StubOpenAI(), _Handler, "/v1")
