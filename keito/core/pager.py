"""Lists, fetched page by page while they are iterated."""

import contextvars
import gc
import os
import threading
import weakref
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Callable, Generic, Optional, TypeVar

from keito.core.answer import read
from keito.core.call import Call
from keito.core.page import Page, at_page
from keito.core.reply import Reply

T = TypeVar("T")

Fetch = Callable[["Call[Page[T]]", Optional[threading.Event]], Reply]
"""Performs the call of a page, and ends soon once the event is set."""


class Position(Generic[T]):
    """What both kinds of pagers know: the page that was read last, and which one comes next."""

    def __init__(self, first: "Call[Page[T]]") -> None:
        self._first = first
        self._current: Optional[Page[T]] = None
        self._number = int(first.query["page"])
        self._done = False
        self._items: Iterator[T] = iter(())

    @property
    def total_entries(self) -> Optional[int]:
        """Entries on all pages; `None` until the first page was read."""
        return self._current.total_entries if self._current else None

    @property
    def total_pages(self) -> Optional[int]:
        """Pages of the list, 0 when it is empty; `None` until the first page was read."""
        return self._current.total_pages if self._current else None

    @property
    def page(self) -> Optional[int]:
        """The number of the page that was read last."""
        return self._current.page if self._current else None

    @property
    def per_page(self) -> Optional[int]:
        """Entries on a full page."""
        return self._current.per_page if self._current else None

    @property
    def items(self) -> list[T]:
        """The entries of the page that was read last."""
        return self._current.items if self._current else []

    def _accept(self, call: "Call[Page[T]]", reply: Reply) -> "Page[T]":
        with _garbage_collection_paused():
            page = self._current = read(call, reply)
        # An empty page ends the list whatever the totals say, or a server that ignores `page` would hold us for ever.
        self._done = not page.items or not self._follows(page)
        self._number += 1
        return page

    def _follows(self, page: "Page[T]") -> bool:
        if page.total_pages is not None:
            return self._number < page.total_pages
        repeated = page.page not in (None, self._number)  # a server that ignores `page` has a next one for ever
        return page.links is not None and page.links.next is not None and not repeated

    def _beyond(self, number: int) -> range:
        """The pages to fetch ahead while page `number` is read."""
        return range(number + 1, min(number + self._first.prefetch, self.total_pages or 0) + 1)


@contextmanager
def _garbage_collection_paused() -> Generator[None]:
    # A page is thousands of new objects and not one cycle. Looking for cycles among them takes a third of the time of
    # reading a list. When this ends, the page before is gone as well, so that nothing has piled up for the collector.
    # The parser holds the GIL meanwhile: no other thread runs without GC.
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Pager(Position[T], Iterator[T]):
    """All entries of a list, fetched page by page. After an error, iterating on asks for the same page again."""

    def __init__(self, first: "Call[Page[T]]", fetch: "Fetch[T]") -> None:
        super().__init__(first)
        self._fetch = fetch
        self._coming: dict[int, Future[Reply]] = {}
        self._dropped: Optional[threading.Event] = None
        self._pid = os.getpid()

    def __iter__(self) -> "Pager[T]":
        return self

    def __next__(self) -> T:
        while True:
            for item in self._items:
                return item
            if self._done:
                raise StopIteration
            self._items = iter(self._turn().items)

    def pages(self) -> "Iterator[Page[T]]":
        """The pages that were not read yet."""
        while not self._done:
            yield self._turn()

    def close(self) -> None:
        """Forget pages that were fetched ahead and end what is under way; dropping the iterator does the same."""
        self._coming.clear()
        if self._dropped is not None:
            self._dropped.set()
            self._dropped = None

    def _turn(self) -> "Page[T]":
        if self._pid != os.getpid():  # the threads that fetch ahead stayed with the parent process
            self._coming.clear()
            self._pid = os.getpid()
        number = self._number
        call = at_page(self._first, number)
        coming = self._coming.pop(number, None)
        self._fetch_beyond(number)  # before waiting and parsing, so that the requests travel meanwhile
        page = self._accept(call, coming.result() if coming else self._fetch(call, None))
        if self._done:
            self.close()
        else:
            self._fetch_beyond(number)  # the first page has told how many there are
        return page

    def _fetch_beyond(self, number: int) -> None:
        for coming in self._beyond(number):
            if coming not in self._coming:
                self._coming[coming] = _in_thread(self._fetch, at_page(self._first, coming), self._ending())

    def _ending(self) -> threading.Event:
        """Set as soon as nobody reads on."""
        if self._dropped is None:
            self._dropped = threading.Event()
            weakref.finalize(self, self._dropped.set)
        return self._dropped


def _in_thread(
    fetch: "Fetch[T]",
    call: "Call[Page[T]]",
    dropped: threading.Event,
) -> "Future[Reply]":
    """Fetch a page in a thread of its own, which ends with its request: nothing in it refers to the iterator."""
    future: Future[Reply] = Future()

    def run() -> None:
        try:
            future.set_result(fetch(call, dropped))
        except BaseException as error:
            future.set_exception(error)

    # A daemon, so that a program does not wait at its end for a page that nobody reads.
    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True, name="keito-prefetch").start()
    return future
