"""An answer that arrived completely."""

import httpx

_HIDDEN = "***"
_SHORTEST_SECRET = 8
"""A key like "test" is no secret, and hiding it would spoil answers in which that word means something else."""
# The content is decompressed by now; these would make httpx try it again, or state a wrong length.
_FRAMING = frozenset({"content-encoding", "content-length", "transfer-encoding"})


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
    def redirects(self) -> bool:
        """Whether the server wants the request elsewhere. keito does not follow: the key is for one host only."""
        return 300 <= self.status < 400 and "location" in self.headers

    def public(self) -> httpx.Response:
        """The response as callers may keep, pickle and log it: without the API key, even if the server repeated it."""
        return httpx.Response(
            self.status,
            headers=[(name, self._clean(value)) for name, value in self.headers.multi_items() if name not in _FRAMING],
            content=self._clean(self.content.decode("latin-1")).encode("latin-1"),
            request=self._public_request(),
        )

    def _public_request(self) -> httpx.Request:
        headers = [
            (name, _HIDDEN if name == "authorization" else self._clean(value))
            for name, value in self._request.headers.multi_items()
        ]
        return httpx.Request(self._request.method, self._clean(str(self._request.url)), headers=headers)

    def _clean(self, text: str) -> str:
        return text.replace(self._secret, _HIDDEN) if len(self._secret) >= _SHORTEST_SECRET else text
