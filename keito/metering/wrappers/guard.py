"""Metering never breaks the call that it meters."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

_Function = TypeVar("_Function", bound=Callable[..., Any])
_log = logging.getLogger("keito.billing")
_said: set[tuple[str, type[BaseException]]] = set()


def never_raises(function: _Function) -> _Function:
    """Make `function` answer `None` where it would raise; each kind of failure is logged once."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            failed(function.__qualname__, error)
            return None

    return cast("_Function", guarded)


def failed(where: str, error: Exception) -> None:
    """Log that metering failed, the first time that it does so there."""
    if (where, type(error)) not in _said:
        _said.add((where, type(error)))
        _log.error("Metering failed in %s; the call itself is not affected", where, exc_info=error)
