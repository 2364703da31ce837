"""Which LangChain runs are open, and which run of an agent they belong to."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from heapq import nsmallest
from typing import Any, Optional
from uuid import UUID
from weakref import WeakKeyDictionary

from keito.billing import AgentBilling
from keito.metering import AgentRun, current_run
from keito.metering.current import enter_run, leave_run, starting_run
from keito_langchain.context import enclosing_run_id, held
from keito_langchain.extent import RootExtent, before, listed, run_around
from keito_langchain.late import LateCalls
from keito_langchain.nodes import Key, ModelStart, Node, Root
from keito_langchain.places import innermost
from keito_langchain.steps import StepRun
from keito_langchain.twins import Twins

_FALLBACKS = "RunnableWithFallbacks"

OPEN_LIMIT = 10_000
"""Open runs of agents, and open LangChain runs inside one of them. Beyond it the ones longest silent are given up."""

StartRun = Callable[[Optional[AgentRun]], AgentRun]
"""Starts the run of a root, inside the run that is given."""


def key_of(run_id: UUID) -> Key:
    """What an id is hashed by."""
    return run_id.int if type(run_id) is UUID else run_id  # LangChain takes any object for one


class RunTable:
    """The open runs of one billing, whichever handlers report them. The second report of an event is ignored.

    Attributes:
        late: Model calls that had not ended when their run did.
        warned: Whether it was said that a model reports no usage.
        dropped: How many roots were given up because there were too many.
    """

    def __init__(self) -> None:
        self.late = LateCalls()
        self.warned = False
        self.dropped = 0
        self.forget()
        listed(self)

    def forget(self) -> None:
        """Forget everything."""
        self._nodes: dict[Key, Node] = {}
        self._twins = Twins(self._nodes)
        self._roots: dict[str, Root] = {}
        # Reentrant: the garbage collector may end a stream that was left, while this thread holds it.
        self._lock = threading.RLock()
        self.late.forget()

    def forget_after_fork(self) -> None:
        """Leave to the parent process what it goes on with: this one bills what it does itself."""
        run = current_run()
        if run is not None and run.uid in self._roots:
            leave_run(run, None)
        self.forget()

    def __len__(self) -> int:
        return len(self._nodes)

    def find(self, run_id: Optional[UUID]) -> Optional[Node]:
        """An open LangChain run."""
        if run_id is None:
            return None
        key = run_id.int if type(run_id) is UUID else run_id  # as `key_of`: an agent waits for this with each call
        if not self._twins.keys:
            return self._nodes.get(key)
        with self._lock:
            return self._nodes.get(self._twins.which(key))

    def admit(self, run_id: UUID, told: Any) -> Optional[Key]:
        """The key of a run whose start is reported; `None` if it was reported before.

        Args:
            run_id: Its id.
            told: Its metadata. All handlers of a run are told of it with the same object, and no other run has that.
        """
        key = key_of(run_id)
        if not self._is_taken(key):
            return key
        with self._lock:
            return self._twins.admit(key, told)

    def start(
        self,
        key: Key,
        parent_id: Optional[UUID],
        name: Optional[str],
        start_run: StartRun,
        *,
        told: Any = None,
        model: Optional[ModelStart] = None,
        opening: Optional[Callable[[AgentRun], AgentRun]] = None,
        run_id: object = None,
    ) -> Node:
        """A LangChain run has started.

        Args:
            key: By which it is admitted.
            parent_id: The id of the run around it. An id that is unknown here is no parent: this is a root then.
            name: Its name.
            start_run: Starts what is billed, if this is a root.
            told: Its metadata.
            model: What is known of it as a model call.
            opening: Makes its run out of the one around it, if it has one of its own: a step of a graph does.
            run_id: Its id, as LangChain has it.
        """
        around = self.find(parent_id) or self._around(name)
        if around is None:
            node = self._start_root(key, parent_id, name, start_run, told, model)
            node.root.held = held(run_id)
        else:
            node = self.start_inside(around, key, told, model)
        if opening is not None and (run := opening(node.run)) is not node.run:
            node.run = run
            node.step = run if isinstance(run, StepRun) else None
        # A model has no code of the user's. All other code must find its run, also where LangChain starts it in a
        # context that the code does not see (`abatch`).
        if model is None and current_run() is not node.run:
            node.outer, node.entered = enter_run(node.run), True
        return node

    def start_inside(self, around: Node, key: Key, told: Any, model: Optional[ModelStart]) -> Node:
        """A LangChain run has started inside another one that is open. The arguments are those of `start`."""
        root, run, current = around.root, around.run, starting_run()
        if current is not None and current is not run:
            run = innermost(current, run)
        node = Node(root, run, told, False, None, model)
        if model is not None:
            model.run = run
        with self._lock:
            if self._is_taken(key):
                key = self._own(key, told)
            self._nodes[key] = node
            root.open[key] = None
        root.heard_ns = time.perf_counter_ns()
        return node

    def end(self, run_id: UUID, told: Any = None) -> Optional[Node]:
        """A LangChain run has ended; answers what it was, or `None` if that is known or it never started here.

        Args:
            run_id: Its id.
            told: Its tags, which are an object of its own likewise.
        """
        key = key_of(run_id)
        with self._lock:
            if self._twins.keys:
                key = self._twins.ending(key, told)
            node = self._nodes.pop(key, None)
            if node is None:
                return None
            root = node.root
            if node.is_root:
                self._roots.pop(root.uid, None)
            else:
                root.open.pop(key, None)
            if self._twins.keys:
                self._twins.forget(key)
        root.heard_ns = time.perf_counter_ns()
        if node.entered:
            leave_run(node.run, before(node.outer))
        return node

    def left_open(self, root: Root) -> list[tuple[Key, Node]]:
        """Forget a root and what is open in it, itself included if it has not ended; answers what that is."""
        with self._lock:
            self._roots.pop(root.uid, None)
            left = [(key, node) for key in (root.key, *root.open) if (node := self._nodes.pop(key, None)) is not None]
            root.open.clear()
            for key, _ in left:
                self._twins.forget(key)
        return left

    def silent(self, nanoseconds: int) -> list[Root]:
        """The roots that were not heard of for so long, and those that LangChain has forgotten."""
        oldest = time.perf_counter_ns() - nanoseconds
        with self._lock:
            return [root for root in self._roots.values() if root.heard_ns <= oldest or root.is_forgotten]

    def surplus(self) -> list[Root]:
        """The roots that are too many, those first that were not heard of for the longest time."""
        if len(self._roots) <= OPEN_LIMIT:
            return []
        with self._lock:  # some more than needed: the search takes a while, and there may be a next one soon
            return nsmallest(OPEN_LIMIT // 100 + 1, self._roots.values(), key=lambda root: root.heard_ns)

    def surplus_of(self, root: Root) -> Optional[tuple[Key, Node]]:
        """The oldest LangChain run inside a root where there are too many."""
        if len(root.open) <= OPEN_LIMIT:
            return None
        with self._lock:
            key = next(iter(root.open))
            del root.open[key]
            self._twins.forget(key)
            return key, self._nodes.pop(key)

    def _start_root(
        self,
        key: Key,
        parent_id: Optional[UUID],
        name: Optional[str],
        start_run: StartRun,
        told: Any,
        model: Optional[ModelStart],
    ) -> Node:
        around = run_around(parent_id)
        run = start_run(around)  # without the lock: choosing the policy is the user's code
        root = Root(run, name, key)
        if model is None:
            run.extent = RootExtent(root.uid, around)
        node = Node(root, run, told, True, None, model)
        if model is not None:
            model.run = run
        with self._lock:
            if self._is_taken(key):
                root.key = self._own(key, told)
            self._roots[root.uid] = root
            self._nodes[root.key] = node
        return node

    def _is_taken(self, key: Key) -> bool:
        return key in self._nodes or key in self._twins.keys

    def _own(self, key: Key, told: Any) -> Key:
        """A key instead of one that another thread has used since it was given. The caller holds the lock."""
        return self._twins.admit(key, told) or key

    def _around(self, name: Optional[str]) -> Optional[Node]:
        """The open run around code whose LangChain run names no parent that is known."""
        return self.find(enclosing_run_id()) or self._fallbacks_around(name)

    def _fallbacks_around(self, name: Optional[str]) -> Optional[Node]:
        """The open fallbacks in this context, where LangChain itself has lost them (Python 3.10, `ainvoke`).

        It goes by the name. Any open root will not do: `batch` starts all its roots one after the other in the same
        context, and they are not parts of each other.
        """
        run = current_run()
        root = None if run is None else self._roots.get(run.uid)
        is_around = root is not None and root.name == _FALLBACKS and name != _FALLBACKS
        return self._nodes.get(root.key) if root is not None and is_around else None


_tables: WeakKeyDictionary[AgentBilling, RunTable] = WeakKeyDictionary()
_tables_lock = threading.Lock()


def table_of(billing: AgentBilling) -> RunTable:
    """The table of a billing: one for all handlers that would bill the same, so that two of them bill a run once."""
    with _tables_lock:
        table = _tables.get(billing)
        if table is None:
            same = next((known for other, known in _tables.items() if billing.is_same(other)), None)
            table = _tables[billing] = RunTable() if same is None else same  # an empty one is false
        return table


def _after_fork() -> None:
    global _tables_lock  # noqa: PLW0603 - another thread may have held it
    _tables_lock = threading.Lock()
    for table in list(_tables.values()):
        table.forget_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
