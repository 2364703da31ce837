"""How a client's calls look on the wire. Nothing in this module does I/O."""

import platform
from functools import lru_cache
from typing import Any, Optional

import httpx

from keito import __version__
from keito.core.call import Call
from keito.core.config import Credentials
from keito.core.reply import Reply, clean

USER_AGENT = f"keito-python/{__version__} python/{platform.python_version()} httpx/{httpx.__version__}"


class Wire:
    """How calls of one client look on the wire."""

    def __init__(self, base_url: httpx.URL, credentials: Credentials, timeout: Optional[float]) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self._credentials = credentials
        self._root = base_url.raw_path.decode("ascii").rstrip("/")
        self._headers = httpx.Headers(
            [
                ("Host", base_url.netloc.decode("ascii")),
                ("Accept", "application/json"),
                ("Accept-Encoding", "gzip, deflate"),
                ("User-Agent", USER_AGENT),
                ("Authorization", f"Bearer {credentials.api_key}"),
                *([("Keito-Account-Id", credentials.account_id)] if credentials.account_id else []),
            ]
        )
        self._json_headers = httpx.Headers({**self._headers, "Content-Type": "application/json"})
        # Parsing a URL takes a tenth of a call's time, and most writes go to a few URLs.
        self._url = lru_cache(maxsize=64)(self._parse_url)

    def __repr__(self) -> str:
        return f"Wire(base_url={str(self.base_url)!r})"

    @property
    def account_id(self) -> str:
        """The account, empty where a token names it."""
        return self._credentials.account_id

    @property
    def api_key(self) -> str:
        """The key, for another client of the same account."""
        return self._credentials.api_key

    def timeout_of(self, call: Call[Any]) -> Optional[float]:
        """Seconds for one attempt as a whole."""
        return call.options.get("timeout", self.timeout)

    def request(self, call: Call[Any]) -> httpx.Request:
        """The HTTP request of a call."""
        body = call.body or b""
        headers = self._headers_of(call)
        if call.method != "GET" or body:
            headers["Content-Length"] = str(len(body))
        request = httpx.Request(
            call.method,
            self._url(call.target),
            headers=headers,
            stream=httpx.ByteStream(body),
            extensions={"timeout": timeouts(self.timeout_of(call))},
        )
        request.read()  # with a content instead of a stream, httpx looks for its type and takes three times as long
        return request

    def _parse_url(self, target: str) -> httpx.URL:
        return self.base_url.copy_with(raw_path=(self._root + target).encode("ascii"))

    def _headers_of(self, call: Call[Any]) -> httpx.Headers:
        headers = httpx.Headers(self._headers if call.body is None else self._json_headers)
        for name, value in call.headers.items():
            headers[name] = value
        return headers

    def clean(self, text: str) -> str:
        """`text` without the API key."""
        return clean(text, self._credentials.api_key)

    def reply(self, request: httpx.Request, response: httpx.Response, content: bytes) -> Reply:
        """What the retry loop sees of a response whose body was read."""
        return Reply(request, response, content, self._credentials.api_key)


def timeouts(seconds: Optional[float]) -> dict[str, Optional[float]]:
    """Httpx's four timeouts for one attempt.

    Connecting gives up a little before the whole attempt does. That tells "the connection was never made", after
    which even a POST may be sent again, from "no answer arrived".
    """
    connect = None if seconds is None else seconds * 0.95
    return {"connect": connect, "read": seconds, "write": seconds, "pool": connect}
