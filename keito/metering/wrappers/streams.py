"""Streams of a metered client: they are read by whoever reads them, and watched meanwhile."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Optional

from keito.metering.call import NoUsage
from keito.metering.wrappers.adopting import Adopted, adopt
from keito.metering.wrappers.guard import never_raises
from keito.metering.wrappers.pending import PendingCall
from keito.metering.wrappers.readers import StreamReader


class StreamWatch:
    """Records a streamed call when its usage is complete, or when the stream ends, breaks, is closed or is dropped.

    Args:
        call: The call.
    """

    def __init__(self, call: PendingCall) -> None:
        self._call = call
        self._reader: StreamReader = call.endpoint.stream()
        self._is_reading = False

    @never_raises
    def saw(self, event: Any) -> None:
        """An event passes."""
        if not self._call.is_recorded:
            is_complete = self._reader.see(event)
            self._call.knows(self._reader.response_id)
            if is_complete:
                self._finish(NoUsage.NOT_REPORTED)

    @never_raises
    def ended(self) -> None:
        """There are no more events."""
        self._finish(NoUsage.NOT_REPORTED)

    @never_raises
    def broke(self, error: BaseException) -> None:
        """The stream failed."""
        self._finish(NoUsage.after(error, answered=True), type(error).__name__)

    @never_raises
    def closed(self) -> None:
        """Nobody reads on, unless the stream closes its connection by itself because it has ended."""
        if not self._is_reading:
            self._finish(NoUsage.NOT_REPORTED if self._reader.finished else NoUsage.ABORTED)

    def _finish(self, reason: NoUsage, error: Optional[str] = None) -> None:
        if self._call.is_recorded:
            return
        report = self._reader.report(self._call.provider)
        stopped = reason is not NoUsage.NOT_REPORTED and not self._reader.finished
        has_usage = report.usage is not None
        self._call.record(report, None if has_usage else reason, error, partial=has_usage and stopped)

    def step(self, following: Callable[[], Any]) -> Any:
        """The next event, from `following`."""
        self._is_reading = True
        try:
            event = following()
        except StopIteration:
            self.ended()
            raise
        except BaseException as error:
            self.broke(error)
            raise
        finally:
            self._is_reading = False
        self.saw(event)
        return event

    async def async_step(self, following: Callable[[], Awaitable[Any]]) -> Any:
        """The same for an asynchronous stream."""
        self._is_reading = True
        try:
            event = await following()
        except StopAsyncIteration:
            self.ended()
            raise
        except BaseException as error:
            self.broke(error)
            raise
        finally:
            self._is_reading = False
        self.saw(event)
        return event


class _Stream(Adopted):
    _keito_watch: StreamWatch

    def __iter__(self) -> Iterator[Any]:
        # Who breaks out of a loop may go on with another one, so the end of this generator says nothing.
        inner = self._keito_inner()
        events = inner.__iter__()
        while True:
            try:
                event = self._keito_watch.step(events.__next__)
            except StopIteration:
                return
            yield event

    def __next__(self) -> Any:
        inner = self._keito_inner()
        return self._keito_watch.step(inner.__next__)


class _AsyncStream(Adopted):
    _keito_watch: StreamWatch

    async def __aiter__(self) -> AsyncIterator[Any]:
        inner = self._keito_inner()
        events = inner.__aiter__()
        while True:
            try:
                event = await self._keito_watch.async_step(events.__anext__)
            except StopAsyncIteration:
                return
            yield event

    async def __anext__(self) -> Any:
        inner = self._keito_inner()
        return await self._keito_watch.async_step(inner.__anext__)


class _Response(Adopted):
    """The HTTP response below a stream. Whoever closes the stream, and however, closes it."""

    _keito_watch: StreamWatch

    def close(self) -> None:
        inner = self._keito_inner()
        try:
            inner.close()
        finally:
            self._keito_watch.closed()

    async def aclose(self) -> None:
        inner = self._keito_inner()
        try:
            await inner.aclose()
        finally:
            self._keito_watch.closed()


def watch(stream: Any, call: PendingCall) -> None:
    """Watch `stream`, which stays the object that it is. Of one that an instrumentation wraps, what is inside."""
    while hasattr(stream, "__wrapped__"):
        stream = stream.__wrapped__
    observer = StreamWatch(call)
    adopt(stream, _AsyncStream if hasattr(stream, "__anext__") else _Stream, _keito_watch=observer)
    response = getattr(stream, "response", None)
    if hasattr(response, "aclose"):
        adopt(response, _Response, _keito_watch=observer)
    # One that was never begun closes nothing when it is dropped.
    weakref.finalize(stream, observer.closed).atexit = False
