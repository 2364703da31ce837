"""Which LangChain runs are open, and which run of an agent they belong to."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Optional
from uuid import UUID
from weakref import WeakKeyDictionary, ref

from keito.billing import AgentBilling
from keito.metering import AgentRun, current_run
from keito.metering.current import enter_run, leave_run
from keito_langchain.context import enclosing_run_id
from keito_langchain.nodes import ModelStart, Node, Root

_FALLBACKS = "RunnableWithFallbacks"

_LATE = 1000
"""Model calls whose late end is recognised; beyond it the oldest are forgotten."""


class RunTable:
    """The open runs of one billing, whichever handlers report them. The second report of an event is ignored."""

    def __init__(self, billing: AgentBilling) -> None:
        self._billing = ref(billing)  # the table lives in a dictionary whose key must be able to go
        self._nodes: dict[UUID, Node] = {}
        self._roots: dict[str, Root] = {}
        self._late: OrderedDict[UUID, tuple[Root, ModelStart]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._nodes)

    def start(
        self,
        run_id: UUID,
        parent_id: Optional[UUID],
        name: Optional[str],
        *,
        session_id: Optional[str] = None,
        attributes: Optional[Mapping[str, Any]] = None,
        model: Optional[ModelStart] = None,
        enters: bool = False,
    ) -> Optional[Node]:
        """A LangChain run has started.

        Args:
            run_id: Its id.
            parent_id: The id of the run around it. An id that is unknown here is no parent: this is a root then.
            name: Its name.
            session_id: Joins runs, if this one is a root.
            attributes: What the program says of it, if this one is a root.
            model: What is known of it as a model call.
            enters: Whether the context of its code is one where the current run is not known from the root.

        Returns:
            What it is, unless it is known already.
        """
        with self._lock:
            if run_id in self._nodes:
                return None
            node = self._node(run_id, parent_id, name, session_id, attributes)
            node.model = model
            self._nodes[run_id] = node
        run, has_code = node.root.run, enters or (node.is_root and model is None)
        if has_code and current_run() is not run:
            node.outer, node.entered = enter_run(run), True
        return node

    def end(self, run_id: UUID) -> Optional[Node]:
        """A LangChain run has ended; answers what it was, or `None` if that is known or it never started here."""
        with self._lock:
            node = self._nodes.pop(run_id, None)
            if node is None:
                return None
            if node.is_root:
                self._roots.pop(node.root.run.uid, None)
            else:
                node.root.open.discard(run_id)
        if node.entered:
            leave_run(node.root.run, node.outer)
        return node

    def abandon(self, root: Root) -> list[ModelStart]:
        """Forget what is open in an ended root; answers the model calls among it."""
        with self._lock:
            left = {run_id: self._nodes.pop(run_id, None) for run_id in root.open}
            root.open.clear()
            models = {run_id: node.model for run_id, node in left.items() if node is not None and node.model}
            self._late.update((run_id, (root, model)) for run_id, model in models.items())
            while len(self._late) > _LATE:
                self._late.popitem(last=False)
        return list(models.values())

    def late(self, run_id: UUID) -> Optional[tuple[Root, ModelStart]]:
        """The ended root, and the start, of a model call that was abandoned."""
        with self._lock:
            return self._late.pop(run_id, None)

    def _node(
        self,
        run_id: UUID,
        parent_id: Optional[UUID],
        name: Optional[str],
        session_id: Optional[str],
        attributes: Optional[Mapping[str, Any]],
    ) -> Node:
        root = self._root_around(parent_id, name)
        if root is not None:
            root.open.add(run_id)
            return Node(root)
        billing = self._billing()
        assert billing is not None  # the handler that calls this holds it
        run = billing.start(
            name, session_id=session_id, framework="langchain", parent=self._block_around(), attributes=attributes
        )
        root = self._roots[run.uid] = Root(run, name)
        return Node(root, is_root=True)

    def _root_around(self, parent_id: Optional[UUID], name: Optional[str]) -> Optional[Root]:
        parent = None if parent_id is None else self._nodes.get(parent_id)
        if parent is None:
            inside = enclosing_run_id()
            parent = None if inside is None else self._nodes.get(inside)
        return self._fallbacks_around(name) if parent is None else parent.root

    def _fallbacks_around(self, name: Optional[str]) -> Optional[Root]:
        """The open fallbacks in this context, where LangChain itself has lost them (Python 3.10, `ainvoke`).

        It goes by the name. Any open root will not do: `batch` starts all its roots one after the other in the same
        context, and they are not parts of each other.
        """
        run = current_run()
        root = None if run is None else self._roots.get(run.uid)
        return root if root is not None and root.name == _FALLBACKS and name != _FALLBACKS else None

    def _block_around(self) -> Optional[AgentRun]:
        """The run of a `with billing.run()` around this code, whose part a root is then."""
        run = current_run()
        is_block = run is not None and run.owner is self._billing() and run.uid not in self._roots
        return run if is_block else None


_tables: WeakKeyDictionary[AgentBilling, RunTable] = WeakKeyDictionary()
_tables_lock = threading.Lock()


def table_of(billing: AgentBilling) -> RunTable:
    """The table of a billing: one for all its handlers, so that two of them don't bill a run twice."""
    with _tables_lock:
        return _tables.setdefault(billing, RunTable(billing))
