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
        return cls._of(status, json.dumps(value), "application/json", headers)

    @classmethod
    def text(cls, status: int, text: str, headers: Optional[Mapping[str, str]] = None) -> Reply:
        """An answer that is not JSON: HTML, unless the headers say otherwise."""
        return cls._of(status, text, "text/html; charset=utf-8", headers)

    @classmethod
    def _of(cls, status: int, text: str, content_type: str, headers: Optional[Mapping[str, str]]) -> Reply:
        given = {name.lower(): value for name, value in (headers or {}).items()}
        pairs = [(n.encode(), v.encode("latin-1")) for n, v in {"content-type": content_type, **given}.items()]
        return cls(status, pairs, b"" if status in (204, 304) else text.encode())

    @property
    def start(self) -> dict[str, Any]:
        """The ASGI message that begins it. Every answer names the API's version, whoever wrote it."""
        headers = [(name, value) for name, value in self.headers if name not in _PLACED_BY_US]
        if self.status not in (204, 304):
            headers.append((b"content-length", str(len(self.body)).encode()))
        return {"type": "http.response.start", "status": self.status, "headers": [*headers, VERSION_HEADER]}
