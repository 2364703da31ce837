"""Keeping to a time, whatever a database or a network does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TypeVar

T = TypeVar("T")


def bounded(seconds: float, call: Callable[[], T], otherwise: Callable[[], T]) -> T:
    """What `call` returns if it does within so many seconds, else what `otherwise` does. The call then goes on."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # it is the caller's
            future.set_exception(error)

    try:
        threading.Thread(target=run, name="keito-flush", daemon=True).start()
    except RuntimeError:  # the interpreter is ending, and starts no threads any more
        return call()
    try:
        return future.result(seconds)
    except FutureTimeout:
        return otherwise()
