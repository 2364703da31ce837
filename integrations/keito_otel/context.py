"""The span around the running code, also where its instrumentation does not make it OpenTelemetry's current one.

OpenInference's LangChain spans name their parents themselves and are never current, so that the span of a provider's
client below them has no parent.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from importlib import import_module
from typing import Optional

from keito_otel.nodes import Node

LANGCHAIN = "openinference.instrumentation.langchain"

_node: ContextVar[Optional[Node]] = ContextVar("keito_otel_node", default=None)
_unseen: Optional[Node] = None


def keep_in_context() -> bool:
    """Let OpenInference's LangChain spans start where the agent runs, also beside asyncio.

    LangChain calls its handlers in threads there, unless they ask for the opposite. What happens inside of the spans
    could not be told from what happens beside them: a provider's client would be billed a second time.

    Returns:
        Whether that was not so yet.
    """
    if LANGCHAIN not in sys.modules:
        return False
    try:
        tracer = import_module(f"{LANGCHAIN}._tracer").OpenInferenceTracer
        was_inline, tracer.run_inline = tracer.run_inline, True
    except (ImportError, AttributeError):  # another version of it
        return False
    return not was_inline


def enter_unseen(node: Node) -> None:
    """A span has started in a thread, and the agent runs in another one: the first of LangChain in this process."""
    global _unseen  # noqa: PLW0603
    _unseen = node


def enter_node(node: Node, before: Optional[Node]) -> None:
    """A span of an agent has started in this context, where `before` was the nearest open one."""
    node.previous = before
    _node.set(node)


def leave_node(node: Node) -> None:
    """It has ended. What remains of it in a context is ignored, and goes with the next span there or the one around."""
    global _unseen  # noqa: PLW0603
    node.is_open = False
    if node is _unseen:
        _unseen = None
    if node.role == "inference" and not node.is_root:
        return  # most spans are such, and to set a variable takes its time
    now = _node.get()
    if now is not None and not now.is_open:
        _node.set(nearest_open())


def node_around(nearest: Optional[Node], scope: str) -> Optional[Node]:
    """The open span of an agent around this code, if another instrumentation than `scope` made it.

    Args:
        nearest: The nearest open span of any kind.
        scope: The instrumentation.
    """
    node = nearest
    while node is not None and node.role == "other":
        node = node.previous if node.previous is None or node.previous.is_open else None
    if _unseen is not None and (node is None or node in _unseen.outers()) and _is_alone(_unseen):
        node = _unseen
    return None if node is None or node.scope == scope else node


def _is_alone(node: Node) -> bool:
    """Whether nothing else happens in its root, so that it is what the running code is in."""
    return len(node.root.open) == 1 + node.depth


def nearest_open() -> Optional[Node]:
    """The innermost span around this code that has not ended, of an agent or of a root."""
    node = _node.get()
    while node is not None and (not node.is_open or node.root.ended):
        node = node.previous
    return node
