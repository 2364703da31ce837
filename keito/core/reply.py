"""An answer that arrived completely."""

import httpx

_HIDDEN = "***"
# The content is decompressed by now; these would make httpx try it again, or state a wrong length.
_FRAMING = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class Reply:
    """What the retry loop and the parsers see of a response that was read."""

    __slots__ = ("_response", "_secret", "content", "status")

    def __init__(self, response: httpx.Response, secret: str) -> None:
        self._response = response
        self._secret = secret
        self.status = response.status_code
        self.content = response.content

    @property
    def headers(self) -> httpx.Headers:
        """The answer's headers as they came."""
        return self._response.headers

    def public(self) -> httpx.Response:
        """The response as callers may keep, pickle and log it: without the API key, even if the server repeated it."""
        return httpx.Response(
            self.status,
            headers=[(name, self._clean(value)) for name, value in self.headers.multi_items() if name not in _FRAMING],
            content=self.content.replace(self._secret.encode(), _HIDDEN.encode()),
            request=self._public_request(),
        )

    def _public_request(self) -> httpx.Request:
        sent = self._response.request
        headers: list[tuple[str, str]] = [(name, self._clean(value)) for name, value in sent.headers.multi_items()]
        return httpx.Request(sent.method, self._clean(str(sent.url)), headers=headers)

    def _clean(self, text: str) -> str:
        return text.replace(self._secret, _HIDDEN)
