"""The span around the running code, also where its instrumentation does not make it OpenTelemetry's current one.

OpenInference's LangChain spans name their parents themselves and are never current, so that the span of a provider's
client below them has no parent.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Optional

from keito_otel.nodes import Node

_node: ContextVar[Optional[Node]] = ContextVar("keito_otel_node", default=None)


def enter_node(node: Node) -> None:
    """A span of an agent has started in this context."""
    node.previous = _nearest_open()
    _node.set(node)


def leave_node(node: Node) -> None:
    """It has ended. In another context than its own nothing changes; there, an ended span is ignored."""
    node.is_open = False
    if _node.get() is node:
        _node.set(_nearest_open())


def node_around(scope: str) -> Optional[Node]:
    """The open span around this code, if another instrumentation than `scope` made it."""
    node = _nearest_open()
    return None if node is None or node.scope == scope else node


def _nearest_open() -> Optional[Node]:
    node = _node.get()
    while node is not None and (not node.is_open or node.root.ended):
        node = node.previous
    return node
