"""Streams do nothing before somebody iterates over them, and then in the context of whoever does."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from keito.metering.current import starting_run, within_run
from keito.metering.dialects.reading import is_list
from keito_crewai.binding import Binding, bound
from keito_crewai.session import current_session, within_session

_log = logging.getLogger("keito.billing")
_SYNC, _ASYNC = "_sync_iterator", "_async_iterator"
_MODULE = "crewai.types.streaming"
_unknown: set[str] = set()


class Origin:
    """Where a stream was made: what its work is billed by, and as a part of what, whoever iterates.

    Args:
        binding: What it is billed by.
    """

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._run = starting_run()
        self._session = current_session()

    @contextmanager
    def again(self) -> Generator[None, None, None]:
        """Within the block, work is a part of the same."""
        with bound(self._binding), within_run(self._run), within_session(self._session):
            yield


def carried(result: Any, binding: Binding) -> Any:
    """The same result; if it is a stream, or a list of them, its work will be billed by `binding`."""
    origin = Origin(binding)
    for stream in result if is_list(result) else [result]:
        if getattr(stream, _SYNC, None) is not None:
            setattr(stream, _SYNC, _steps(getattr(stream, _SYNC), origin))
        if getattr(stream, _ASYNC, None) is not None:
            setattr(stream, _ASYNC, _async_steps(getattr(stream, _ASYNC), origin))
        _check(stream)
    return result


def _check(stream: Any) -> None:
    """Say so if this CrewAI keeps the iterators of its streams elsewhere: they are not billed then."""
    kind = next((kind for kind in type(stream).__mro__ if kind.__module__ == _MODULE), None)
    if kind is None or hasattr(stream, _SYNC) or hasattr(stream, _ASYNC) or kind.__name__ in _unknown:
        return
    _unknown.add(kind.__name__)
    _log.error(
        "This version of CrewAI makes streams (%s) that keito cannot follow; they are billed only by "
        "keito_crewai.install(). A newer keito may know them",
        kind.__name__,
    )


def _steps(iterator: Any, origin: Origin) -> Iterator[Any]:
    try:
        while True:
            with origin.again():
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
    finally:
        iterator.close()


async def _async_steps(iterator: Any, origin: Origin) -> AsyncIterator[Any]:
    try:
        while True:
            with origin.again():
                try:
                    item = await iterator.__anext__()
                except StopAsyncIteration:
                    return
            yield item
    finally:
        await iterator.aclose()
