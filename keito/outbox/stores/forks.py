"""Keeping the connections of a process out of its forks."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Has something open that a child must not share."""

    def before_fork(self) -> None:
        """Close what can be closed."""
        ...

    def after_fork(self, *, is_child: bool) -> None:
        """Go on."""
        ...


_watched: weakref.WeakSet[Forkable] = weakref.WeakSet()
_forking: list[Forkable] = []


def watch(forkable: Forkable) -> None:
    """Tell it of forks for as long as it lives."""
    _watched.add(forkable)


def keep_for_ever(connection: object) -> None:
    """Never free a connection of the parent, not even at exit: closing it in the child would disturb the parent."""
    if connection is not None:
        import ctypes  # noqa: PLC0415

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _before() -> None:
    _forking.extend(_watched)
    for forkable in _forking:
        forkable.before_fork()


def _after(*, is_child: bool) -> None:
    while _forking:
        _forking.pop().after_fork(is_child=is_child)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before,
        after_in_parent=lambda: _after(is_child=False),
        after_in_child=lambda: _after(is_child=True),
    )
