"""Ends of processes that Python's exit handlers do not see."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

_known: set[int] = set()


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
