"""Lists, fetched page by page while they are iterated with `async for`."""

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from keito.core.call import Call
from keito.core.page import Page, at_page
from keito.core.pager import Position
from keito.core.reply import Reply

T = TypeVar("T")


class AsyncPager(Position[T], AsyncIterator[T]):
    """All entries of a list, fetched page by page. After an error, iterating on asks for the same page again."""

    def __init__(self, first: "Call[Page[T]]", fetch: "Callable[[Call[Page[T]]], Coroutine[Any, Any, Reply]]") -> None:
        super().__init__(first)
        self._fetch = fetch
        self._coming: dict[int, asyncio.Task[Reply]] = {}
        weakref.finalize(self, _cancel, self._coming)

    def __aiter__(self) -> "AsyncPager[T]":
        return self

    async def __anext__(self) -> T:
        while True:
            for item in self._items:
                return item
            if self._done:
                raise StopAsyncIteration
            self._items = iter((await self._turn()).items)

    async def pages(self) -> "AsyncIterator[Page[T]]":
        """The pages that were not read yet."""
        while not self._done:
            yield await self._turn()

    async def close(self) -> None:
        """Forget pages that were fetched ahead; dropping the iterator does the same."""
        _cancel(self._coming)

    async def _turn(self) -> "Page[T]":
        number = self._number
        call = at_page(self._first, number)
        coming = self._coming.pop(number, None) or self._fetch(call)
        self._fetch_beyond(number)  # before waiting and parsing, so that the requests travel meanwhile
        page = self._accept(call, await coming)
        if self._done:
            _cancel(self._coming)
        else:
            self._fetch_beyond(number)  # the first page has told how many there are
        return page

    def _fetch_beyond(self, number: int) -> None:
        for coming in self._beyond(number) if _on_asyncio() else ():
            if coming not in self._coming:
                self._coming[coming] = asyncio.ensure_future(self._fetch(at_page(self._first, coming)))
                self._coming[coming].add_done_callback(_seen)


def _on_asyncio() -> bool:
    # trio has tasks only inside a nursery, which an iterator cannot open: there, prefetch has no effect.
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _seen(task: "asyncio.Task[Any]") -> None:
    """Take note of an error, or asyncio complains about it when the iterator was dropped."""
    if not task.cancelled():
        task.exception()


def _cancel(coming: "dict[int, asyncio.Task[Any]]") -> None:
    """End requests that nobody waits for; the garbage collector may call this from any thread."""
    while coming:
        task = coming.popitem()[1]
        loop = task.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)
