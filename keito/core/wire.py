"""How a client's calls look on the wire. Nothing in this module does I/O."""

import platform
from typing import Any, Optional

import httpx

from keito import __version__
from keito.core.call import Call
from keito.core.config import Credentials
from keito.core.reply import Reply

USER_AGENT = f"keito-python/{__version__} python/{platform.python_version()} httpx/{httpx.__version__}"


class Wire:
    """How calls of one client look on the wire."""

    def __init__(self, base_url: httpx.URL, credentials: Credentials, timeout: Optional[float]) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self._credentials = credentials
        self._root = base_url.raw_path.decode("ascii").rstrip("/")
        self._headers: list[tuple[str, str]] = [
            ("Host", base_url.netloc.decode("ascii")),
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip, deflate"),
            ("User-Agent", USER_AGENT),
            ("Authorization", f"Bearer {credentials.api_key}"),
        ]
        if credentials.account_id:
            self._headers.append(("Keito-Account-Id", credentials.account_id))

    def __repr__(self) -> str:
        return f"Wire(base_url={str(self.base_url)!r})"

    def timeout_of(self, call: Call[Any]) -> Optional[float]:
        """Seconds for one attempt as a whole."""
        return call.options.get("timeout", self.timeout)

    def request(self, call: Call[Any]) -> httpx.Request:
        """The HTTP request of a call."""
        return httpx.Request(
            call.method,
            self.base_url.copy_with(raw_path=(self._root + call.target).encode("ascii")),
            headers=self._headers_of(call),
            content=call.body,
            extensions={"timeout": timeouts(self.timeout_of(call))},
        )

    def _headers_of(self, call: Call[Any]) -> list[tuple[str, str]]:
        own = call.headers
        if call.body is not None:
            own.setdefault("Content-Type", "application/json")
        if not own:
            return self._headers
        replaced = {name.lower() for name in own}
        return [*(pair for pair in self._headers if pair[0].lower() not in replaced), *own.items()]

    def reply(self, response: httpx.Response) -> Reply:
        """What the retry loop sees of a response that was read."""
        return Reply(response, self._credentials.api_key)


def timeouts(seconds: Optional[float]) -> dict[str, Optional[float]]:
    """Httpx's four timeouts for one attempt.

    Connecting gives up a little before the whole attempt does. That tells "the connection was never made", after
    which even a POST may be sent again, from "no answer arrived".
    """
    connect = None if seconds is None else seconds * 0.95
    return {"connect": connect, "read": seconds, "write": seconds, "pool": connect}
