"""Processes that another one has made: how they begin, and ends that Python's exit handlers do not see."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet

_known: set[int] = set()


class Renewable(Protocol):
    """Has something under way that is the parent's, and locks that a thread of the parent may have held."""

    def start_anew(self) -> None:
        """Begin anew in a forked child."""
        ...


_renewables: WeakSet[Renewable] = WeakSet()


def renew_in_children(thing: Renewable) -> None:
    """Let it start anew in each forked child of this process, for as long as it lives."""
    _renewables.add(thing)


def _renew_all() -> None:
    for thing in list(_renewables):
        thing.start_anew()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_all)


def at_end_of_child(finish: Callable[[], object]) -> None:
    """Call a function when this process ends, if it is one of `multiprocessing`: most of those end by `os._exit`.

    Whoever calls it often registers it once. What ends in other ways is left to `atexit`.
    """
    pid = os.getpid()
    if pid in _known:
        return
    _known.clear()  # a fork has those of its parent
    _known.add(pid)
    if "multiprocessing.util" not in sys.modules:
        return
    from multiprocessing import parent_process  # noqa: PLC0415 - a program without it does without
    from multiprocessing.util import Finalize  # noqa: PLC0415

    if parent_process() is not None:
        Finalize(None, finish, exitpriority=0)
