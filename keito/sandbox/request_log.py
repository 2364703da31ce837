"""What arrived, for tests to look at."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, Optional
from urllib.parse import parse_qsl

CAPACITY = 10_000
BODY_BYTES = 64 * 1024
SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization"}


@dataclass
class Received:
    """One request. It is turned into JSON when the log is read, not while a client waits."""

    timestamp: str
    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    status: Optional[int] = None
    fault: Optional[str] = None

    def shown(self) -> dict[str, Any]:
        """The request as JSON, without its secrets."""
        return {
            "timestamp": self.timestamp,
            "method": self.method,
            "path": self.path,
            "query": dict(parse_qsl(self.query.decode("latin-1"), keep_blank_values=True)),
            "headers": dict(_header(name, value) for name, value in self.headers),
            "body": _body(self.body),
            "status": self.status,
            "fault": self.fault,
        }


def _header(name: bytes, value: bytes) -> tuple[str, str]:
    text = name.decode("latin-1").lower()
    return text, "[redacted]" if text in SECRET_HEADERS else value.decode("latin-1")


def _body(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")


class RequestLog:
    """The last requests, oldest first; safe to use from any thread."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._lock = threading.Lock()
        self._received: deque[Received] = deque(maxlen=capacity)

    def add(self, received: Received) -> Received:
        """Note a request as it arrives; its status is filled in when it is answered."""
        received.body = received.body[:BODY_BYTES]
        with self._lock:
            self._received.append(received)
        return received

    def shown(self) -> list[dict[str, Any]]:
        """All requests as JSON."""
        with self._lock:
            received = list(self._received)
        return [each.shown() for each in received]

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._received.clear()
