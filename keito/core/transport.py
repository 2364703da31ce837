"""The default HTTP transports: httpx's own, below `httpx.Client`, which saves a third of a request's time.

Mocks of httpx (respx, pytest-httpx) patch `HTTPTransport` or the pool under it, so they see these requests, too.
"""

import contextlib
import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from typing import Any, Optional, TypeVar, Union

import httpcore
import httpx

from keito.core.deadline import deadline
from keito.core.handshake import tidy
from keito.core.retry import Unusable

T = TypeVar("T")

_USER_TIMEOUT: Optional[int] = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Linux has it."""

_SLICE = 65536
"""Bytes that are written before the next look at the deadline."""


class _DeadlineStream(httpcore.NetworkStream):
    """Bounds each operation by what is left of the attempt: httpx's timeouts begin anew with every byte."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: Optional[float] = None) -> bytes:
        while not deadline.is_over:
            try:
                return self._stream.read(max_bytes, deadline.glance(timeout))
            except httpcore.ReadTimeout:  # noqa: PERF203 - one pass, but for pages that are fetched ahead
                if deadline.cancelled is None:
                    raise
        raise httpcore.ReadTimeout("the answer took too long")

    def write(self, buffer: bytes, timeout: Optional[float] = None) -> None:
        self._bound_kernel()
        for start in range(0, len(buffer), _SLICE):
            if deadline.is_over:
                raise httpcore.WriteTimeout("the request took too long")
            self._stream.write(buffer[start : start + _SLICE], deadline.left(timeout))

    def _bound_kernel(self) -> None:
        """Let the system drop what the server does not acknowledge by the end of the attempt.

        It would repeat it for minutes, also after the connection was closed or the process killed: a request that
        failed long ago would still arrive.
        """
        left = deadline.left(None)
        found: Optional[socket.socket] = self._stream.get_extra_info("socket")
        if left is not None and found is not None and _USER_TIMEOUT is not None:
            with contextlib.suppress(OSError):
                found.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, max(1, int(left * 1000)))

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
        left = deadline.left(timeout)
        connect = partial(self._backend.connect_tcp, host, port, left, local_address, socket_options)
        return _DeadlineStream(_within(left, connect))

    def connect_unix_socket(
        self, path: str, timeout: Optional[float] = None, socket_options: Optional[Iterable[Any]] = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._backend.connect_unix_socket(path, deadline.left(timeout), socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


def _within(seconds: Optional[float], connect: Callable[[], httpcore.NetworkStream]) -> httpcore.NetworkStream:
    """Connect in a thread: looking up a name has no timeout, and each of its addresses would get the whole of ours."""
    future: Future[httpcore.NetworkStream] = Future()

    def run() -> None:
        try:
            stream = connect()
        except Exception as error:  # it is the caller's
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
            return
        if future.set_running_or_notify_cancel():
            future.set_result(stream)
        else:
            stream.close()  # nobody waits any more

    try:
        threading.Thread(target=run, daemon=True, name="keito-connect").start()
    except RuntimeError:  # the interpreter is ending: from Python 3.12 on, no thread starts any more
        run()
    try:
        return future.result(seconds)
    except FutureTimeout:
        if future.cancel():
            raise httpcore.ConnectTimeout("the connection took too long") from None
        return future.result()


def bound(transport: httpx.HTTPTransport) -> None:
    """Let the attempts of a transport end at `deadline`.

    httpx has no public way to pass a network backend; tests hold this against the oldest and the newest httpx.
    """
    pool: Any = transport._pool  # pyright: ignore[reportPrivateUsage]
    if not isinstance(pool._network_backend, _DeadlineBackend):
        pool._network_backend = _DeadlineBackend(pool._network_backend)


class Transports:
    """What a client without an httpx client of its own sends through: one transport for each call in flight.

    httpcore's pool takes time quadratic in its connections: 32 tasks on one pool get a third of what one task gets.
    With a pool for each, concurrency costs nothing, and a single caller still reuses one connection.
    """

    def __init__(self, base_url: httpx.URL) -> None:
        try:
            self._proxy = _proxy(base_url)
            # Loading the certificates takes 20 ms, which plain http does not need.
            self._verify: Union[ssl.SSLContext, bool] = base_url.scheme == "https" and httpx.create_ssl_context()
            self._make(httpx.HTTPTransport).close()  # so that what cannot work fails here
        except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
            raise Unusable(str(error)) from None

    def blocking(self) -> httpx.HTTPTransport:
        """A transport whose attempts end at `deadline`."""
        transport = self._make(httpx.HTTPTransport)
        bound(transport)
        return transport

    def _make(self, kind: Callable[..., T]) -> T:
        return kind(verify=self._verify, proxy=self._proxy)

    def awaiting(self) -> httpx.AsyncBaseTransport:
        """Httpx's own transport for asyncio and trio."""
        transport = self._make(httpx.AsyncHTTPTransport)
        tidy(transport)
        return transport

    def aiohttp(self) -> Optional[httpx.AsyncBaseTransport]:
        """Aiohttp under httpx (ten times the throughput of 32 tasks) where `httpx-aiohttp` is installed."""
        try:
            from keito.core.aiohttp_transport import KeitoAiohttpTransport  # noqa: PLC0415 - an extra
        except ImportError:
            return None
        return self._make(KeitoAiohttpTransport)


def _proxy(base_url: httpx.URL) -> Optional[httpx.Proxy]:
    """The proxy that the environment names for this host; what httpx.Client does above the transport."""
    if urllib.request.proxy_bypass(base_url.host):
        return None
    proxies = urllib.request.getproxies()
    url = proxies.get(base_url.scheme) or proxies.get("all")
    if not url:
        return None
    proxy = httpx.Proxy(url if "://" in url else f"http://{url}")
    if not 0 < (proxy.url.port or 1) < 65536:
        raise ValueError(f"the proxy's port {proxy.url.port} is none")
    return proxy
