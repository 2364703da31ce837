"""Streams do nothing before somebody iterates over them, and then in the context of whoever does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from keito.metering.dialects.reading import is_list
from keito_crewai.binding import Binding, bound

_SYNC, _ASYNC = "_sync_iterator", "_async_iterator"


def carried(result: Any, binding: Binding) -> Any:
    """The same result; if it is a stream, or a list of them, its work will be billed by `binding`."""
    for stream in result if is_list(result) else [result]:
        if getattr(stream, _SYNC, None) is not None:
            setattr(stream, _SYNC, _steps(getattr(stream, _SYNC), binding))
        if getattr(stream, _ASYNC, None) is not None:
            setattr(stream, _ASYNC, _async_steps(getattr(stream, _ASYNC), binding))
    return result


def _steps(iterator: Any, binding: Binding) -> Iterator[Any]:
    try:
        while True:
            with bound(binding):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
    finally:
        iterator.close()


async def _async_steps(iterator: Any, binding: Binding) -> AsyncIterator[Any]:
    try:
        while True:
            with bound(binding):
                try:
                    item = await iterator.__anext__()
                except StopAsyncIteration:
                    return
            yield item
    finally:
        await iterator.aclose()
