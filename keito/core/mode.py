"""How calls are performed: blocking or awaited, for the parsed answer or for the raw one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from keito.core.answer import read
from keito.core.call import Call
from keito.core.drive import Driver
from keito.core.page import Page
from keito.core.pager import Pager
from keito.core.raw_response import RawResponse
from keito.core.reply import Reply
from keito.core.survey import Survey

if TYPE_CHECKING:
    import threading

    from keito.core.drive_async import AsyncDriver
    from keito.core.pager_async import AsyncPager

T = TypeVar("T")
Mode = TypeVar("Mode", "Sync", "Async", "SyncRaw", "AsyncRaw")


class Sync:
    """Methods block and return the parsed answer."""

    awaits = False

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def perform(self, call: Call[T]) -> T:
        """Perform one call."""
        return read(call, self._driver.perform(call))

    def paginate(self, first: Call[Page[T]]) -> Pager[T]:
        """Iterate over a list from its first page on."""
        return Pager(first, self._driver.perform)

    def survey(self, survey: Survey[T]) -> T:
        """Read whole lists, page by page, for what is computed from them."""
        return _surveyed(survey, self.paginate)

    @property
    def raw(self) -> SyncRaw:
        """The mode of `with_raw_response`."""
        return SyncRaw(self._driver)


class Async:
    """Methods are awaited for the parsed answer."""

    awaits = True

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def perform(self, call: Call[T]) -> T:
        """Perform one call."""
        return read(call, await self._driver.perform(call))

    def paginate(self, first: Call[Page[T]]) -> AsyncPager[T]:
        """Iterate over a list from its first page on."""
        from keito.core.pager_async import AsyncPager  # noqa: PLC0415 - loads asyncio, which `Keito` does without

        return AsyncPager(first, self._driver.perform)

    async def survey(self, survey: Survey[T]) -> T:
        """Read whole lists, page by page, for what is computed from them."""
        return await _surveyed_async(survey, self.paginate)

    @property
    def raw(self) -> AsyncRaw:
        """The mode of `with_raw_response`."""
        return AsyncRaw(self._driver)


class SyncRaw:
    """Methods block and return the answer with its status and headers."""

    awaits = False

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def perform(self, call: Call[T]) -> RawResponse[T]:
        """Perform one call."""
        return _raw(call, self._driver.perform(call))

    def paginate(self, first: Call[Page[T]]) -> RawResponse[Page[T]]:
        """Fetch the one page that the call asks for."""
        return self.perform(first)

    def survey(self, survey: Survey[T]) -> RawResponse[T]:
        """Read whole lists; the status and headers are those of the last answer."""
        last: list[Reply] = []

        def fetch(call: Call[Any], dropped: Optional[threading.Event]) -> Reply:
            reply = self._driver.perform(call, dropped)
            last[:] = [reply]
            return reply

        return _carried(_surveyed(survey, lambda first: Pager(first, fetch)), last[0])


class AsyncRaw:
    """Methods are awaited for the answer with its status and headers."""

    awaits = True

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def perform(self, call: Call[T]) -> RawResponse[T]:
        """Perform one call."""
        return _raw(call, await self._driver.perform(call))

    async def paginate(self, first: Call[Page[T]]) -> RawResponse[Page[T]]:
        """Fetch the one page that the call asks for."""
        return await self.perform(first)

    async def survey(self, survey: Survey[T]) -> RawResponse[T]:
        """Read whole lists; the status and headers are those of the last answer."""
        from keito.core.pager_async import AsyncPager  # noqa: PLC0415

        last: list[Reply] = []

        async def fetch(call: Call[Any]) -> Reply:
            reply = await self._driver.perform(call)
            last[:] = [reply]
            return reply

        return _carried(await _surveyed_async(survey, lambda first: AsyncPager(first, fetch)), last[0])


def _surveyed(survey: Survey[T], paginate: Callable[[Call[Page[Any]]], Pager[Any]]) -> T:
    for reading in survey.readings:
        for page in paginate(reading.first).pages():
            reading.take(page)
    return survey.result()


async def _surveyed_async(survey: Survey[T], paginate: Callable[[Call[Page[Any]]], AsyncPager[Any]]) -> T:
    for reading in survey.readings:
        async for page in paginate(reading.first).pages():
            reading.take(page)
    return survey.result()


def _raw(call: Call[T], reply: Reply) -> RawResponse[T]:
    return _carried(read(call, reply), reply)


def _carried(data: T, reply: Reply) -> RawResponse[T]:
    response = reply.public()
    return RawResponse(data, reply.status, response.headers, response)
