"""A whole answer, before it goes onto a connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

VERSION_HEADER = (b"x-keito-api-version", b"2")
_PLACED_BY_US = (b"content-length", b"x-keito-api-version")


class Reply(NamedTuple):
    """Status, headers and body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @classmethod
    def json(cls, status: int, value: Any, headers: Optional[Mapping[str, str]] = None) -> Reply:
        """A JSON answer."""
        pairs = [(name.lower().encode(), text.encode("latin-1")) for name, text in (headers or {}).items()]
        body = b"" if status in (204, 304) else json.dumps(value).encode()
        return cls(status, [(b"content-type", b"application/json"), *pairs], body)

    @property
    def start(self) -> dict[str, Any]:
        """The ASGI message that begins it. Every answer names the API's version, whoever wrote it."""
        headers = [(name, value) for name, value in self.headers if name not in _PLACED_BY_US]
        if self.status not in (204, 304):
            headers.append((b"content-length", str(len(self.body)).encode()))
        return {"type": "http.response.start", "status": self.status, "headers": [*headers, VERSION_HEADER]}
