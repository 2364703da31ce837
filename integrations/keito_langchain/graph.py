"""What LangGraph does to runs. It is never imported: not every LangChain program has it."""

from __future__ import annotations

import functools
import sys
from typing import Any, Optional

_CONTROL_FLOW = frozenset({"GraphBubbleUp", "NodeInterrupt"})
_INTERRUPTS = frozenset({"GraphInterrupt", "NodeInterrupt"})
_PAUSES = _INTERRUPTS | {"GraphDrained"}
"""LangGraph steers with exceptions. `GraphDrained` ends a graph early, to be resumed elsewhere."""


def is_control_flow(error: Optional[BaseException]) -> bool:
    """Whether nothing has failed."""
    return _is_one_of(error, _CONTROL_FLOW)


def is_interrupt(error: Optional[BaseException]) -> bool:
    """Whether a step waits for somebody, and will be executed again."""
    return _is_one_of(error, _INTERRUPTS)


def is_pause(error: Optional[BaseException]) -> bool:
    """Whether the graph goes on in another run."""
    return _is_one_of(error, _PAUSES)


def _is_one_of(error: Optional[BaseException], names: frozenset[str]) -> bool:
    return error is not None and any(kind.__name__ in names for kind in type(error).__mro__)


def told_of_pauses(kind: type) -> type:
    """`kind` as a class whose instances LangGraph tells of pauses and of runs that go on after one.

    LangGraph 1.1.7 and later call `on_interrupt` and `on_resume` of instances of its `GraphCallbackHandler`, and only a
    pause before or after a node (`interrupt_before`) is not seen in any other way. A program that runs a graph has
    loaded that class; where it is not loaded, or does not exist, `kind` is answered.
    """
    base: Any = getattr(sys.modules.get("langgraph.callbacks"), "GraphCallbackHandler", None)
    return kind if base is None or issubclass(kind, base) else _joined(kind, base)


@functools.lru_cache(maxsize=64)
def _joined(kind: type, base: type) -> type:
    about = {"__module__": kind.__module__, "__doc__": kind.__doc__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (kind, base), about)
