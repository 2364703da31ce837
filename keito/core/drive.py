"""The blocking driver: the only place where `Keito` waits."""

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Optional, Union

import httpx

from keito import telemetry
from keito.core.call import Call
from keito.core.deadline import deadline
from keito.core.failure import FAILURES, closed, content_seen, lost, unusable
from keito.core.reply import Reply
from keito.core.retry import Flow, Outcome, Sleep, Unusable, exchange
from keito.core.wire import Wire

if TYPE_CHECKING:
    from keito.core.transport import Transports

KEPT = 20
"""Idle connections that a client keeps open, as httpx does."""


class Driver:
    """Performs calls over HTTP and blocks while it waits. Thread-safe; a forked child opens its own connections.

    Args:
        wire: How calls look on the wire.
        max_retries: How often a failed attempt is repeated where the call does not say.
        http: The caller's own httpx client; it stays open when the driver is closed.
    """

    def __init__(self, wire: Wire, max_retries: int, http: Optional[httpx.Client] = None) -> None:
        self.wire = wire
        self.max_retries = max_retries
        self._http = http
        self._transports: Optional[Transports] = None
        self._idle: deque[httpx.HTTPTransport] = deque()
        if http is not None:
            bound_headers(http)
        self._pid = os.getpid()
        self._closed = False
        weakref.finalize(self, _close_all, self._idle)

    def perform(self, call: Call[Any], cancelled: Optional[threading.Event] = None) -> Reply:
        """Send a call, again if need be, and return the reply of its success. It ends soon once `cancelled` is set."""
        deadline.cancelled = cancelled
        try:
            return self._follow(exchange(call, call.options.get("max_retries", self.max_retries)), call)
        finally:
            deadline.cancelled = None

    def _follow(self, flow: Flow[Reply], call: Call[Any]) -> Reply:
        outcome: Optional[Outcome] = None
        try:
            while True:
                step = flow.send(outcome)
                outcome = None
                if isinstance(step, Sleep):
                    _sleep(step.seconds)
                else:
                    with telemetry.request(call, self.wire) as span:
                        outcome = span.ended(self._send(call))
        except StopIteration as stop:
            reply: Reply = stop.value
            return reply

    def _send(self, call: Call[Any]) -> Outcome:
        if self._closed:
            return closed()
        if deadline.cancelled is not None and deadline.cancelled.is_set():
            return closed("list")
        if self._http is not None and self._http.is_closed:
            return closed("httpx client that this Keito client sends through")
        request = self.wire.request(call)
        timeout = self.wire.timeout_of(call)
        deadline.at = None if timeout is None else time.monotonic() + timeout
        try:
            return self._send_own(request) if self._http is None else self._send_through(self._http, request)
        except Unusable as error:
            return unusable(error, self.wire)
        except FAILURES as error:
            return lost(error, self.wire)
        finally:
            deadline.at = None

    def _send_own(self, request: httpx.Request) -> Reply:
        transport = self._take()
        try:
            response = transport.handle_request(request)
            return self.wire.reply(request, response, _read(response))
        finally:
            self._give_back(transport)

    def _send_through(self, http: httpx.Client, request: httpx.Request) -> Reply:
        own = http.build_request(
            request.method, request.url, headers=request.headers, content=request.content, extensions=request.extensions
        )
        try:
            response = http.send(own, stream=True)
        except httpx.HTTPStatusError as error:  # a hook of the caller called raise_for_status()
            return self.wire.reply(own, error.response, content_seen(error.response))
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _Bounded(response.stream)
        try:
            return self.wire.reply(own, response, response.read())  # a hook of the caller may have read it already
        finally:
            response.close()

    def _take(self) -> httpx.HTTPTransport:
        if self._pid != os.getpid():  # a connection must not be shared with the parent process
            _close_all(self._idle)  # closes this process's copies only; the parent's stay open
            self._pid = os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            if self._transports is None:
                from keito.core.transport import Transports  # noqa: PLC0415 - loads httpcore, 50 ms

                self._transports = Transports(self.wire.base_url)
            return self._transports.blocking()

    def _give_back(self, transport: httpx.HTTPTransport) -> None:
        if self._closed or len(self._idle) >= KEPT:
            transport.close()
        else:
            self._idle.append(transport)

    def close(self) -> None:
        """Close the connections; a client that the caller brought stays open."""
        self._closed = True
        _close_all(self._idle)


def _sleep(seconds: float) -> None:
    if deadline.cancelled is None:
        time.sleep(seconds)
    else:
        deadline.cancelled.wait(seconds)


def bound_headers(http: httpx.Client) -> None:
    """Let the deadline reach into a client that the caller brought, whose own timeouts begin anew with every byte."""
    from keito.core.transport import bound  # noqa: PLC0415 - loads httpcore, 50 ms

    for transport in transports_of(http):
        if isinstance(transport, httpx.HTTPTransport):
            bound(transport)


def transports_of(http: Union[httpx.Client, httpx.AsyncClient]) -> list[object]:
    """Through what a client that the caller brought sends; httpx has no public way to it."""
    return [getattr(http, "_transport", None), *getattr(http, "_mounts", {}).values()]


def _read(response: httpx.Response) -> bytes:
    stream = response.stream
    assert isinstance(stream, httpx.SyncByteStream)
    try:
        # Without an encoding this is what read() does, less its decoder, which costs a tenth of a call's time.
        return response.read() if "content-encoding" in response.headers else b"".join(stream)
    finally:
        stream.close()


def _close_all(idle: deque[httpx.HTTPTransport]) -> None:
    while idle:
        idle.pop().close()


class _Bounded(httpx.SyncByteStream):
    """Ends a body that drips in through the caller's own httpx client."""

    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            if deadline.is_over:
                raise httpx.ReadTimeout("the answer took too long")
            yield chunk

    def close(self) -> None:
        self._stream.close()
