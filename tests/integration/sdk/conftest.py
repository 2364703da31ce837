"""The SDK is tested over real sockets: against the sandbox, and against a server that misbehaves on purpose.

Most tests run once for each way in which keito talks HTTP. An `AsyncKeito` is wrapped so that it blocks, which
lets one test body serve all of them.
"""

import asyncio
import contextlib
import inspect
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Optional

import anyio
import httpx
import pytest

from keito import AsyncKeito, Keito
from keito.core.endpoint import Resource
from keito.core.pager_async import AsyncPager

OWN_TRANSPORTS = ["sync", "async", "aiohttp"]
ALL_TRANSPORTS = [*OWN_TRANSPORTS, "sync-own", "async-own"]


class Blocking:
    """An `AsyncKeito`, or a resource of one, whose methods block."""

    def __init__(self, target: Any, run: Callable[[Any], Any]) -> None:
        self._target = target
        self._run = run

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if isinstance(value, Resource):
            return Blocking(value, self._run)
        return self._method(value) if callable(value) else value

    def _method(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            if isinstance(result, AsyncPager):
                return BlockingPager(result, self._run)
            return self._run(result) if inspect.isawaitable(result) else result

        return call


class BlockingPager:
    """An `AsyncPager` to use with `next` and `for`."""

    def __init__(self, pager: Any, run: Callable[[Any], Any]) -> None:
        self._pager = pager
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pager, name)

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self._step(self._pager)

    def pages(self) -> Any:
        pages = self._pager.pages()
        return iter(lambda: self._page(pages), None)

    def _page(self, pages: Any) -> Any:
        try:
            return self._step(pages)
        except StopIteration:
            return None

    def close(self) -> None:
        self._run(self._pager.close())

    def _step(self, iterator: Any) -> Any:
        async def step() -> Any:
            return await iterator.__anext__()

        try:
            return self._run(step())
        except StopAsyncIteration:
            raise StopIteration from None


class Connections:
    """Makes clients of one kind and closes them in the end."""

    def __init__(self, transport: str, base_url: str) -> None:
        self.transport = transport
        self._base_url = base_url
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._closing: list[Callable[[], Any]] = []

    def __call__(self, base_url: Optional[str] = None, **options: Any) -> Any:
        options = {
            "api_key": "kto_sandbox",
            "account_id": "acc_sandbox",
            "base_url": base_url or self._base_url,
            "timeout": 10.0,
            **options,
        }
        return self._blocking(options) if self.transport.startswith("sync") else self._awaited(options)

    def _blocking(self, options: "dict[str, Any]") -> Keito:
        if self.transport == "sync-own":
            options["httpx_client"] = http = httpx.Client(trust_env=False)
            self._closing.append(http.close)
        client = Keito(**options)
        self._closing.append(client.close)
        return client

    def _awaited(self, options: "dict[str, Any]") -> Blocking:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        run = self._loop.run_until_complete
        if self.transport == "async-own":
            options["httpx_client"] = http = httpx.AsyncClient(trust_env=False)
            self._closing.append(lambda: run(http.aclose()))
        client = AsyncKeito(**options)
        self._closing.append(lambda: run(client.close()))
        return Blocking(client, run)

    def close(self) -> None:
        for close in reversed(self._closing):
            close()
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def without_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    """`AsyncKeito` as it is where the extra `aiohttp` is not installed."""
    monkeypatch.setitem(sys.modules, "keito.core.aiohttp_transport", None)


@pytest.fixture(params=OWN_TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connect(transport: str, keito_sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> "Iterator[Connections]":
    """Makes clients: `connect()` for the sandbox, `connect(url)` for another server."""
    if transport == "async":
        monkeypatch.setitem(sys.modules, "keito.core.aiohttp_transport", None)
    connections = Connections(transport, keito_sandbox.url)
    yield connections
    connections.close()


@pytest.fixture
def client(connect: Connections) -> Any:
    return connect()


class Patched:
    """A module, seen by one user of it with some names replaced."""

    def __init__(self, module: Any, **names: Any) -> None:
        self._module = module
        vars(self).update(names)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> "list[float]":
    """The seconds that keito would have slept between attempts, without the sleep."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("keito.core.drive.time", Patched(time, sleep=slept.append))
    monkeypatch.setattr("keito.core.drive_async.anyio", Patched(anyio, sleep=sleep))
    return slept


@pytest.fixture
def entry_fields() -> "dict[str, Any]":
    """The least that a time entry needs."""
    return {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}


@pytest.fixture
def expense_fields() -> "dict[str, Any]":
    """The least that an expense needs."""
    return {
        "project_id": "proj_support",
        "expense_category_id": "cat_llm",
        "spent_date": "2026-03-05",
        "total_cost": 0.18,
    }


@pytest.fixture
def eventually() -> "Callable[..., None]":
    """Waits for a condition, with a deadline."""

    def wait(condition: Callable[[], Any], seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true"
            time.sleep(0.005)

    return wait


Act = Callable[["Server", socket.socket], None]


class Server:
    """Answers each request by the next of its acts, the last one again and again, and closes the connection."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.ended = 0
        self.stopped = threading.Event()
        self._acts: list[Act] = []
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._listen)

    def acts(self, *acts: Act) -> None:
        self._acts = list(acts)

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self.stopped.is_set():
                connection.close()
                return
            self.connections += 1
            self._open.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                request = self._read(connection)
                if request:
                    with self._lock:
                        self.requests.append(request)
                        act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
                    act(self, connection)
            except OSError:
                pass
        self.ended += 1

    def _read(self, connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return b""
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def close(self) -> None:
        self.stopped.set()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        # Some systems do not wake accept() when its socket is closed.
        with socket.socket() as knock:
            knock.connect(self._listener.getsockname())
        for thread in self._threads:
            thread.join(5)
        self._listener.close()


def say(data: bytes) -> Act:
    """Send bytes."""
    return lambda server, connection: connection.sendall(data)


def answer(body: bytes, status: int = 200, headers: bytes = b"", length: Optional[int] = None) -> Act:
    """Send a well-formed answer."""
    size = len(body) if length is None else length
    head = b"HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %d\r\n" % (status, size)
    return say(head + headers + b"\r\n" + body)


def reset(server: Server, connection: socket.socket) -> None:
    """Break the connection off."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silence(server: Server, connection: socket.socket) -> None:
    """Say nothing until the test is over."""
    server.stopped.wait(30)


def drip(start: bytes, rest: bytes, seconds: float = 0.05) -> Act:
    """Send the start at once, and the rest byte by byte."""

    def act(server: Server, connection: socket.socket) -> None:
        connection.sendall(start)
        for byte in rest:
            if server.stopped.wait(seconds):
                return
            connection.sendall(bytes([byte]))

    return act


@pytest.fixture
def acts() -> SimpleNamespace:
    """What a misbehaving server can do."""
    return SimpleNamespace(say=say, answer=answer, reset=reset, silence=silence, drip=drip)


@pytest.fixture
def server() -> "Iterator[Server]":
    running = Server()
    yield running
    running.close()


@pytest.fixture
def refusing() -> str:
    """The URL of a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
