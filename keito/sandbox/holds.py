"""Waiting inside a request that a reset or the end of the server can cut short."""

from __future__ import annotations

import asyncio
from typing import Optional


class Holds:
    """The requests that are being delayed or dripped right now."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._closed = False

    async def wait(self, seconds: float) -> bool:
        """True after so many seconds; False when the request is to be given up."""
        if self._closed:
            return False
        self._loop = asyncio.get_running_loop()
        released = asyncio.Event()
        self._waiting.add(released)
        try:
            await asyncio.wait_for(released.wait(), seconds)
        except asyncio.TimeoutError:
            return True
        finally:
            self._waiting.discard(released)
        return False

    def release(self) -> None:
        """Give up every request that waits; callable from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._release)

    def close(self) -> None:
        """Give up every request that waits, and those to come. Called on the loop."""
        self._closed = True
        self._release()

    def _release(self) -> None:
        for event in self._waiting:
            event.set()
