"""Waiting inside a request that a reset or the end of the server can cut short."""

from __future__ import annotations

import asyncio
from typing import Optional


class Hold:
    """One request's leave to wait. It ends with the next release, also while the request is not waiting."""

    def __init__(self) -> None:
        self._released = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """True after so many seconds; False when the request is to be given up."""
        try:
            await asyncio.wait_for(self._released.wait(), seconds)
        except asyncio.TimeoutError:
            return True
        return False

    def release(self) -> None:
        """Give the request up."""
        self._released.set()


class Holds:
    """The requests that may have to wait."""

    def __init__(self) -> None:
        self._holds: set[Hold] = set()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._closed = False

    def begin(self) -> Hold:
        """A request has come."""
        self._loop = asyncio.get_running_loop()
        hold = Hold()
        self._holds.add(hold)
        if self._closed:
            hold.release()
        return hold

    def end(self, hold: Hold) -> None:
        """The request was answered or dropped."""
        self._holds.discard(hold)

    def release(self) -> None:
        """Give up every request that came before; callable from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._release)

    def close(self) -> None:
        """Give up every request, and those to come. Called on the loop."""
        self._closed = True
        self._release()

    def _release(self) -> None:
        for hold in self._holds:
            hold.release()
