"""An answer that arrived completely."""

import httpx

_HIDDEN = "***"
_SHORTEST_SECRET = 8
"""A key like "test" is no secret, and hiding it would spoil answers in which that word means something else."""
# The content is decompressed by now; these would make httpx try it again, or state a wrong length.
_FRAMING = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})


def clean(text: str, secret: str) -> str:
    """`text` without the API key, also where JSON or Python escaped it."""
    if len(secret) < _SHORTEST_SECRET and not secret.startswith("kto_"):
        return text
    for written in (secret, secret.replace("/", "\\/"), repr(secret)[1:-1]):
        text = text.replace(written, _HIDDEN)
    return text


class Reply:
    """What the retry loop and the parsers see of a response that was read."""

    __slots__ = ("_request", "_secret", "content", "headers", "status")

    def __init__(self, request: httpx.Request, response: httpx.Response, content: bytes, secret: str) -> None:
        self._request = request
        self._secret = secret
        self.status = response.status_code
        self.headers = response.headers
        self.content = content

    @property
    def redirect(self) -> str:
        """Where the server wants the request, if anywhere. keito does not follow: the key is for one host only."""
        return self._clean(self.headers.get("location", "")) if 300 <= self.status < 400 else ""

    def public(self) -> httpx.Response:
        """The response as callers may keep, pickle and log it: without the API key, even if the server repeated it."""
        return httpx.Response(
            self.status,
            headers=self._clean_headers(self.headers, _FRAMING),
            content=self._clean_bytes(self.content),
            request=self._public_request(),
        )

    def _public_request(self) -> httpx.Request:
        headers = [
            *self._clean_headers(self._request.headers, _CREDENTIALS),
            *((name.encode(), _HIDDEN.encode()) for name in sorted(_CREDENTIALS) if name in self._request.headers),
        ]
        return httpx.Request(self._request.method, self._clean(str(self._request.url)), headers=headers)

    def _clean_headers(self, headers: httpx.Headers, without: frozenset[str]) -> list[tuple[bytes, bytes]]:
        # As bytes, since a header may hold any: decoded, httpx would take ASCII only.
        return [
            (name, self._clean_bytes(value))
            for name, value in headers.raw
            if name.decode("latin-1").lower() not in without
        ]

    def _clean_bytes(self, content: bytes) -> bytes:
        return self._clean(content.decode("latin-1")).encode("latin-1")

    def _clean(self, text: str) -> str:
        return clean(text, self._secret)
