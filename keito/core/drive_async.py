"""The awaiting driver: the only place where `AsyncKeito` waits. Runs on asyncio and, without aiohttp, on trio."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from types import AsyncGeneratorType
from typing import TYPE_CHECKING, Any, Optional, cast
from weakref import WeakKeyDictionary

import anyio
import httpx

from keito import telemetry
from keito.core.call import Call
from keito.core.drive import KEPT, transports_of
from keito.core.failure import FAILURES, closed, content_seen, lost, unusable
from keito.core.reply import Reply
from keito.core.retry import Flow, Outcome, Sleep, Unusable, exchange
from keito.core.wire import Wire

if TYPE_CHECKING:
    from keito.core.transport import Transports

_CONNECTIONS = 100
"""Connections that a client opens at once, as httpx does."""


class _Loop:
    """The connections of one client in one event loop; they cannot move to another."""

    def __init__(self, transports: "Transports") -> None:
        self.transports = transports
        self.shared = transports.aiohttp() if isinstance(current_loop(), asyncio.AbstractEventLoop) else None
        self.free = anyio.Semaphore(_CONNECTIONS)
        self.idle: deque[httpx.AsyncBaseTransport] = deque()
        self._life = cast("AsyncGeneratorType[None, None]", _life(self.idle, self.shared))

    async def open(self) -> None:
        """Bind the connections to the event loop: they are closed with it, or by `close`."""
        await self._life.__anext__()

    @property
    def closed(self) -> bool:
        """Whether the event loop is over, or the connections were closed."""
        return self._life.ag_frame is None

    async def take(self, patience: Optional[float]) -> httpx.AsyncBaseTransport:
        """A transport that nobody else sends through; aiohttp's pools by itself, and well."""
        try:
            self.free.acquire_nowait()
        except anyio.WouldBlock:
            with anyio.move_on_after(patience) as scope:
                await self.free.acquire()
            if scope.cancelled_caught:
                raise httpx.PoolTimeout("all connections of this client are in use") from None
        return self.shared or (self.idle.pop() if self.idle else self.transports.awaiting())

    async def give_back(self, transport: httpx.AsyncBaseTransport, keep: bool) -> None:
        """Let others send through a transport, or close it where there are enough or the client was closed."""
        self.free.release()
        if transport is self.shared:
            return
        if keep and len(self.idle) < KEPT:
            self.idle.append(transport)
            return
        with anyio.CancelScope(shield=True):
            await transport.aclose()

    async def close(self) -> None:
        await self._life.aclose()


async def _life(
    idle: deque[httpx.AsyncBaseTransport], shared: Optional[httpx.AsyncBaseTransport]
) -> AsyncGenerator[None, None]:
    """Waits for the end of the event loop, which ends its generators while connections can still be closed."""
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            for transport in [*idle, *([shared] if shared else [])]:
                await transport.aclose()
            idle.clear()


class _NoLoop:
    """Stands for trio, whose event loops have no name of their own here."""


_TRIO = _NoLoop()


def current_loop() -> object:
    """The running asyncio loop, or one stand-in for trio."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return _TRIO


class AsyncDriver:
    """Performs calls over HTTP and awaits meanwhile. Usable from several event loops, one after the other or at once.

    Args:
        wire: How calls look on the wire.
        max_retries: How often a failed attempt is repeated where the call does not say.
        http: The caller's own httpx client; it stays open when the driver is closed.
    """

    def __init__(self, wire: Wire, max_retries: int, http: Optional[httpx.AsyncClient] = None) -> None:
        self.wire = wire
        self.max_retries = max_retries
        self._http = http
        if http is not None:
            _tidy_all(http)
        self._loops: WeakKeyDictionary[object, _Loop] = WeakKeyDictionary()
        self._closed = False

    async def perform(self, call: Call[Any]) -> Reply:
        """Send a call, again if need be, and return the reply of its success."""
        return await self._follow(exchange(call, call.options.get("max_retries", self.max_retries)), call)

    async def _follow(self, flow: Flow[Reply], call: Call[Any]) -> Reply:
        outcome: Optional[Outcome] = None
        try:
            while True:
                step = flow.send(outcome)
                outcome = None
                if isinstance(step, Sleep):
                    await anyio.sleep(step.seconds)
                else:
                    with telemetry.request(call, self.wire) as span:
                        outcome = span.ended(await self._send(call))
        except StopIteration as stop:
            reply: Reply = stop.value
            return reply

    async def _send(self, call: Call[Any]) -> Outcome:
        if self._closed:
            return closed()
        if self._http is not None and self._http.is_closed:
            return closed("httpx client that this Keito client sends through")
        request = self.wire.request(call)
        timeout = self.wire.timeout_of(call)
        try:
            with anyio.fail_after(timeout):
                if self._http is None:
                    return await self._send_own(request)
                return await self._send_through(self._http, request)
        except Unusable as error:
            return unusable(error, self.wire)
        except FAILURES as error:
            return lost(error, self.wire)

    async def _send_own(self, request: httpx.Request) -> Reply:
        loop = await self._loop_here()
        transport = await loop.take(request.extensions["timeout"]["pool"])
        try:
            response = await transport.handle_async_request(request)
            return self.wire.reply(request, response, await _read(response))
        finally:
            await loop.give_back(transport, keep=not self._closed)

    async def _send_through(self, http: httpx.AsyncClient, request: httpx.Request) -> Reply:
        own = http.build_request(
            request.method, request.url, headers=request.headers, content=request.content, extensions=request.extensions
        )
        try:
            response = await http.send(own, stream=True)
        except httpx.HTTPStatusError as error:  # a hook of the caller called raise_for_status()
            return self.wire.reply(own, error.response, content_seen(error.response))
        try:
            return self.wire.reply(own, response, await response.aread())  # a hook may have read it already
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    async def _loop_here(self) -> _Loop:
        here = current_loop()
        loop = self._loops.get(here)
        if loop is None or loop.closed:
            from keito.core.transport import Transports  # noqa: PLC0415 - loads httpcore, 50 ms

            self._forget_closed()
            loop = self._loops[here] = _Loop(Transports(self.wire.base_url))
            await loop.open()
        return loop

    def _forget_closed(self) -> None:
        for reference in self._loops.keyrefs():  # a copy: loops of other threads may come and go meanwhile
            key = reference()
            loop = self._loops.get(key)
            if loop is not None and loop.closed:
                self._loops.pop(key, None)

    async def close(self) -> None:
        """Close this event loop's connections; a client that the caller brought stays open."""
        self._closed = True
        loop = self._loops.pop(current_loop(), None)
        if loop is not None:
            await loop.close()


def _tidy_all(http: httpx.AsyncClient) -> None:
    from keito.core.handshake import tidy  # noqa: PLC0415 - loads httpcore, 50 ms

    for transport in transports_of(http):
        if isinstance(transport, httpx.AsyncHTTPTransport):
            tidy(transport)


async def _read(response: httpx.Response) -> bytes:
    try:
        if "content-encoding" in response.headers:
            return await response.aread()
        # What aread() would do, less its decoder, which costs a tenth of a call's time.
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return b"".join([chunk async for chunk in response.stream])
    finally:
        with anyio.CancelScope(shield=True):
            await response.aclose()
