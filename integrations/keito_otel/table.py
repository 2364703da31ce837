"""Which spans are open, and where they belong."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from itertools import islice
from typing import TYPE_CHECKING, Callable, Optional
from weakref import ref

from keito.outbox.children import renew_in_children
from keito_otel.context import nearest_open
from keito_otel.nodes import Node, Root
from keito_otel.roles import Role
from keito_otel.routing import from_baggage

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span
    from opentelemetry.trace import SpanContext

Picks = Callable[["Span"], bool]
"""Whether a span that starts is one in which a run happens."""

LIMIT = 100_000
"""Open spans that are kept; beyond it the oldest root is given up."""

_LEFT_KEPT = 10_000
"""Ended spans that are known; beyond it the oldest are forgotten."""

GRACE = 60.0
"""Seconds after the end of a root in which spans inside it may end or start."""

_MOST_ENDED = 10_000
"""Ended roots that wait for late spans; beyond it the oldest are forgotten early."""


class SpanTable:
    """The open spans of one processor. Thread-safe; a forked child begins with an empty one.

    Args:
        picks: Which spans are roots beside the first ones of this process.
        limit: How many open spans it keeps.
    """

    def __init__(self, picks: Optional[Picks] = None, limit: int = LIMIT) -> None:
        self._picks = picks
        self._limit = limit
        self.start_anew()
        renew_in_children(self)

    def __len__(self) -> int:
        return len(self._nodes)

    def start_anew(self) -> None:
        """Forget everything. In a forked child the parent's spans are the parent's to bill."""
        self._lock = threading.RLock()
        self._nodes: dict[int, Node] = {}
        self._roots: OrderedDict[int, Root] = OrderedDict()  # finds its oldest at once
        self._left: OrderedDict[int, ref[Root]] = OrderedDict()
        self._ended: deque[tuple[float, Root]] = deque()

    def add(
        self, span: Span, scope: str, around: Optional[Context], outer: Optional[Node] = None, role: Role = "other"
    ) -> Optional[Node]:
        """A span has started.

        Args:
            span: The span.
            scope: Which instrumentation made it.
            around: The context in which it starts, whose baggage is read if it is a root.
            outer: The span that is open in its context, if another instrumentation made that.
            role: What part it plays, as far as is known.

        Returns:
            What it is, unless it is known already.
        """
        span_id, parent = _id_of(span), span.parent
        with self._lock:
            if span_id in self._nodes:
                return None
            if parent is not None:
                own = self._nodes.get(parent.span_id) or self._beside(parent)
                outer = own if outer is None else _inner(own, outer)
            root = self._root_of(span, parent, outer, role)
            if root is None:
                root = Root(span, scope, from_baggage(around), is_picked=self._picks is not None and self._picks(span))
                self._roots[span_id] = root
            node = self._nodes[span_id] = Node(span, scope, root, outer, role)
            root.open.add(span_id)
            root.seen_at = time.monotonic()
        return node

    def pop(self, span: ReadableSpan) -> Optional[Node]:
        """A span has ended; answers what it was, or `None` if it never started here or was given up."""
        span_id = _id_of(span)
        with self._lock:
            node = self._nodes.pop(span_id, None)
            if node is not None:
                root = node.root
                root.open.discard(span_id)
                root.seen_at = time.monotonic()
                self._left[span_id] = root.weakly  # others may start below it
                if len(self._left) > _LEFT_KEPT:
                    self._left.popitem(last=False)
        return node

    def close(self, root: Root, *, waits: bool = True) -> list[Node]:
        """A root has ended, or is given up; answers what is open in it. Nothing, if it was closed before.

        Args:
            root: Which one.
            waits: Whether spans in it may still end.
        """
        with self._lock:
            if self._roots.pop(_id_of(root.span), None) is None:
                return []
            root.ended = True
            left = [self._nodes[span_id] for span_id in root.open if span_id in self._nodes]
            if waits and root.run is not None:
                self._ended.append((time.monotonic(), root))
            else:
                self._forget(root)
            if len(self._ended) > _MOST_ENDED:
                self._forget(self._ended.popleft()[1])
        return left

    def overdue(self, idle: float) -> list[Root]:
        """Roots in which nothing has happened for `idle` seconds; only the oldest, where there are too many spans.

        It forgets roots that ended a while ago, too.
        """
        now = time.monotonic()
        with self._lock:
            while self._ended and (now - self._ended[0][0] > GRACE or self.is_full):
                self._forget(self._ended.popleft()[1])
            if self.is_full:  # whoever starts a span waits for this
                return list(islice(self._roots.values(), 1))
            return [root for root in self._roots.values() if now - root.seen_at > idle]

    def open_roots(self) -> list[Root]:
        """All roots that have not ended."""
        with self._lock:
            return list(self._roots.values())

    @property
    def is_full(self) -> bool:
        """Whether there are more open spans than it keeps."""
        return len(self._nodes) > self._limit

    def _root_of(self, span: Span, parent: Optional[SpanContext], outer: Optional[Node], role: Role) -> Optional[Root]:
        if outer is not None and not outer.root.is_lost:
            root: Optional[Root] = outer.root
        elif parent is not None and not parent.is_remote:
            root = self._left.get(parent.span_id, _nobody)()  # its parent has ended already
            if root is not None and (root.is_lost or (root.is_over and role in ("work", "unknown"))):
                return None  # OpenLLMetry leaves spans of LangChain behind as the current ones
        else:
            return None
        is_picked = self._picks is not None and root is not None and not root.is_picked and self._picks(span)
        return None if is_picked else root

    def _beside(self, parent: SpanContext) -> Optional[Node]:
        """The open span of an agent around this code, in the trace of a parent that nobody has reported.

        Such a parent is of another tracer provider, or was there before the processor. It may be around the whole run,
        or inside of it: only the context tells.
        """
        if parent.is_remote or parent.span_id in self._left:
            return None
        node = nearest_open()
        context = None if node is None else node.span.get_span_context()
        if node is None or context is None or self._nodes.get(context.span_id) is not node:
            return None  # of another processor
        return node if context.trace_id == parent.trace_id else None

    def _forget(self, root: Root) -> None:
        for span_id in root.open:
            self._nodes.pop(span_id, None)


def _id_of(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def _nobody() -> None:
    return None


def _inner(parent: Optional[Node], around: Node) -> Optional[Node]:
    """The span around one: its parent, or one inside of that, whose instrumentation did not make it the current one."""
    return around if parent is not None and parent in around.outers() else parent
