"""Answers as the client libraries hand them out: whole, streamed, or raw and still to be parsed."""

from __future__ import annotations

import weakref
from functools import lru_cache
from typing import Any

from keito.metering.dialects.reading import mapping
from keito.metering.wrappers.adopting import Adopted, adopt
from keito.metering.wrappers.guard import never_raises
from keito.metering.wrappers.pending import PendingCall
from keito.metering.wrappers.streams import watch

_MODE = "x-stainless-raw-response"
"""The header by which both libraries ask themselves for a raw answer; `stream` leaves its body unread."""


@never_raises
def observe_parser(options: Any, call: PendingCall) -> None:
    """Read the answer before the library's own parser gets it: that one raises where text is not what was asked for.

    The call is charged for all the same.
    """
    parse = getattr(options, "post_parser", None)
    if not callable(parse):
        return

    def observed(answer: Any) -> Any:
        call.answered(answer)
        return parse(answer)

    options.post_parser = observed


@never_raises
def take(answer: Any, options: Any, call: PendingCall) -> None:
    """Meter an answer of a synchronous client."""
    if not _is_raw(answer):
        take_parsed(answer, call)
    elif _is_unread(options):
        _wait_for_parse(answer, _Unread, call)
    else:
        try:
            parsed = answer.parse()  # whoever parses it later gets the same object
        except Exception as error:  # whoever parses it later gets the same error
            call.unreadable(error)
        else:
            take_parsed(parsed, call)


async def take_async(answer: Any, options: Any, call: PendingCall) -> None:
    """Meter an answer of an asynchronous client, whose raw answers are parsed by a coroutine in some versions."""
    if not _is_raw(answer):
        take_parsed(answer, call)
    elif _is_unread(options):
        _wait_for_parse(answer, _AsyncUnread, call)
    else:
        try:
            parsed = answer.parse()
            parsed = await parsed if _has(parsed, "__await__") else parsed
        except Exception as error:  # whoever parses it later gets the same error
            call.unreadable(error)
        else:
            take_parsed(parsed, call)


@never_raises
def take_parsed(answer: Any, call: PendingCall) -> None:
    """Meter a whole or a streamed answer."""
    if _has(answer, "__next__") or _has(answer, "__anext__"):
        watch(answer, call)
    else:
        call.answered(answer)


def _is_raw(answer: Any) -> bool:
    return _has(answer, "parse") and _has(answer, "http_request")


def _has(thing: object, name: str) -> bool:
    kind: Any = type(thing)
    return _class_has(kind, name)


@lru_cache(maxsize=512)
def _class_has(kind: Any, name: str) -> bool:
    return hasattr(kind, name)  # models are slow to say that they have no such attribute


def _is_unread(options: Any) -> bool:
    return any(str(name).lower() == _MODE and value == "stream" for name, value in mapping(options.headers).items())


@never_raises
def _wait_for_parse(answer: Any, methods: type[Adopted], call: PendingCall) -> None:
    adopt(answer, methods, _keito_call=call)
    weakref.finalize(answer, call.unreadable).atexit = False


class _Unread(Adopted):
    _keito_call: PendingCall

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        inner = self._keito_inner()
        parsed = inner.parse(*args, **kwargs)
        take_parsed(parsed, self._keito_call)
        return parsed


class _AsyncUnread(Adopted):
    _keito_call: PendingCall

    async def parse(self, *args: Any, **kwargs: Any) -> Any:
        inner = self._keito_inner()
        parsed = await inner.parse(*args, **kwargs)
        take_parsed(parsed, self._keito_call)
        return parsed
