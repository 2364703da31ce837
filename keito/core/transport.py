"""The default HTTP transports: httpx's own, below `httpx.Client`, which saves a third of a request's time.

Mocks of httpx (respx, pytest-httpx) patch `HTTPTransport` or the pool under it, so they see these requests, too.
"""

import ssl
import time
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Optional, Union

import httpcore
import httpx

from keito.core.deadline import deadline


class _DeadlineStream(httpcore.NetworkStream):
    """Bounds each operation by what is left of the attempt: httpx's timeouts begin anew with every byte.

    What is written goes out when the answer is awaited, head and body in one piece, which spares both sides a system
    call and a wake-up.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._unsent: list[bytes] = []

    def read(self, max_bytes: int, timeout: Optional[float] = None) -> bytes:
        if deadline.at is not None and time.monotonic() >= deadline.at:
            raise httpcore.ReadTimeout("the answer took too long")
        if self._unsent:
            self._send(deadline.left(timeout))
        return self._stream.read(max_bytes, deadline.left(timeout))

    def write(self, buffer: bytes, timeout: Optional[float] = None) -> None:  # noqa: ARG002 - read() bounds it
        self._unsent.append(buffer)

    def _send(self, timeout: Optional[float]) -> None:
        unsent, self._unsent = b"".join(self._unsent), []
        # A server that hangs up early may have answered before; httpcore reads on after a failed write for that reason.
        with suppress(httpcore.WriteError):
            self._stream.write(unsent, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: Optional[str] = None, timeout: Optional[float] = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, deadline.left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _DeadlineBackend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Optional[float] = None,
        local_address: Optional[str] = None,
        socket_options: Optional[Iterable[Any]] = None,
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(
            self._backend.connect_tcp(host, port, deadline.left(timeout), local_address, socket_options)
        )

    def connect_unix_socket(
        self, path: str, timeout: Optional[float] = None, socket_options: Optional[Iterable[Any]] = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._backend.connect_unix_socket(path, deadline.left(timeout), socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class Transports:
    """What a client without an httpx client of its own sends through: one transport for each call in flight.

    httpcore's pool takes time quadratic in its connections: 32 tasks on one pool get a third of what one task gets.
    With a pool for each, concurrency costs nothing, and a single caller still reuses one connection.
    """

    def __init__(self, base_url: httpx.URL) -> None:
        self._proxy = _proxy(base_url)
        # Loading the certificates takes 20 ms, which plain http does not need.
        self._verify: Union[ssl.SSLContext, bool] = base_url.scheme == "https" and httpx.create_ssl_context()

    def blocking(self) -> httpx.HTTPTransport:
        """A transport whose attempts end at `deadline.at`."""
        transport = httpx.HTTPTransport(verify=self._verify, proxy=self._proxy)
        # httpx has no public way to pass a network backend; tests hold this against the oldest and the newest httpx.
        pool: Any = transport._pool  # pyright: ignore[reportPrivateUsage]
        pool._network_backend = _DeadlineBackend(pool._network_backend)
        return transport

    def awaiting(self) -> httpx.AsyncBaseTransport:
        """Httpx's own transport for asyncio and trio."""
        return httpx.AsyncHTTPTransport(verify=self._verify, proxy=self._proxy)

    def aiohttp(self) -> Optional[httpx.AsyncBaseTransport]:
        """Aiohttp under httpx (ten times the throughput of 32 tasks) where `httpx-aiohttp` is installed."""
        try:
            from keito.core.aiohttp_transport import KeitoAiohttpTransport  # noqa: PLC0415 - an extra
        except ImportError:
            return None
        return KeitoAiohttpTransport(verify=self._verify, proxy=self._proxy)


def _proxy(base_url: httpx.URL) -> Optional[httpx.Proxy]:
    """The proxy that the environment names for this host; what httpx.Client does above the transport."""
    if urllib.request.proxy_bypass(base_url.host):
        return None
    proxies = urllib.request.getproxies()
    url = proxies.get(base_url.scheme) or proxies.get("all")
    if not url:
        return None
    return httpx.Proxy(url if "://" in url else f"http://{url}")
