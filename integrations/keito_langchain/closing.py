"""The end of roots: of those that LangChain reports, and of those that it never does."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from typing import Optional, cast
from weakref import WeakKeyDictionary, finalize, ref

from keito.billing import AgentBilling
from keito.metering import LLMCall, NoUsage, RunStatus
from keito.metering.call import quick_call
from keito_langchain.nodes import Key, ModelStart, Node, Root
from keito_langchain.table import RunTable
from keito_langchain.usage import Answer

_now, _UTC = datetime.now, timezone.utc

PATIENCE = 6 * 3600.0
"""Seconds without any event after which a run is taken to have been left by its program."""

_LOOKS = 4
"""How many times within its patience a watch looks."""

_LONGEST_LOOK = 15.0
"""Seconds between two looks at most. What a run left open is still billed beside it then."""


def call_of(
    start: ModelStart, answer: Answer, error: Optional[BaseException] = None, no_usage: Optional[NoUsage] = None
) -> LLMCall:
    """The call that began with `start` and ended with `answer`, or with `error`."""
    response_id = answer.response_id or start.response_id
    start.leave(response_id)
    usage = answer.usage
    return quick_call(
        start.at,
        _now(_UTC),
        start.provider or answer.provider,
        start.model,
        answer.model,
        usage,
        None if usage is not None else no_usage or NoUsage.after(error, answered=answer.started),
        answer.tier,
        answer.cached,
        None if error is None else type(error).__name__,
        answer.cost,
        response_id,
        "chat",
        error is not None and usage is not None,
    )


def close(table: RunTable, root: Root, status: RunStatus) -> None:
    """End a root and bill it. What is open in it is billed as far as it is known."""
    _leave(table, root)
    _tell_block(root, status)
    if not root.is_late:
        _billing_of(root).finish(root.run, status)
    root.run.inputs = None


def _tell_block(root: Root, status: RunStatus) -> None:
    """A block is not done while a graph in it waits for somebody, until that goes on in the same block."""
    block = root.run.around if root.run.root is root.run else root.run.root
    if block is not None:
        graph = (root.name, root.run.attributes.get("thread_id"))
        (block.waiting.add if status is RunStatus.PAUSED else block.waiting.discard)(graph)


def give_up(table: RunTable, root: Root) -> None:
    """End a root that nobody ends. Its time is up to when it was heard of last."""
    _leave(table, root)
    if not root.is_late:
        _billing_of(root).finish(root.run, RunStatus.ABANDONED, elapsed_ns=root.heard_ns - root.began_ns)
    root.run.inputs = None


def leave_open(table: RunTable, key: Key, node: Node) -> None:
    """Count what did not end before its root. A model call may still report its usage late."""
    if node.step is not None:
        node.step.settle(again=False)
    if node.model is not None and not node.model.is_left_out:
        node.run.record(call_of(node.model, Answer(), None, NoUsage.UNFINISHED))
        table.late.add(key, node.run, node.model)


def _leave(table: RunTable, root: Root) -> None:
    for key, node in table.left_open(root):
        leave_open(table, key, node)
    for step in root.failed:  # they were not executed again
        step.settle(again=False)
    root.failed.clear()


def _billing_of(root: Root) -> AgentBilling:
    return cast("AgentBilling", root.run.owner)


class Watch:
    """Gives up the roots that are silent for too long or forgotten, in a thread that lasts while any are open.

    Args:
        table: Has the roots.

    Attributes:
        patience: Seconds without any event after which a root is given up.
    """

    def __init__(self, table: RunTable) -> None:
        self.patience = PATIENCE
        self._table = ref(table)
        self._timer: Optional[threading.Timer] = None
        # What is open when the program ends is billed as far as it is known.
        finalize(table, self.look, 0.0)

    def begin(self) -> None:
        """A root was opened."""
        if self._timer is None or not self._timer.is_alive():
            self._timer = threading.Timer(min(self.patience / _LOOKS, _LONGEST_LOOK), self._look_again)
            self._timer.daemon = True
            self._timer.name = "keito-langchain-watch"
            self._timer.start()

    def look(self, patience: Optional[float] = None) -> None:
        """Give up the roots that were silent for `patience` seconds, and those that LangChain has forgotten."""
        table = self._table()
        seconds = self.patience if patience is None else patience
        for root in () if table is None else table.silent(int(seconds * 1e9)):
            self._give_up(root)

    def _give_up(self, root: Root) -> None:
        table = self._table()
        try:
            if table is not None:
                give_up(table, root)
        except Exception as error:  # nobody waits for this thread
            _billing_of(root).guard.caught("give_up", error)

    def _look_again(self) -> None:
        self.look()
        self._timer = None
        if self._table():  # an empty table is false
            self.begin()


_watches: WeakKeyDictionary[RunTable, Watch] = WeakKeyDictionary()
_lock = threading.Lock()


def watch_of(table: RunTable) -> Watch:
    """The watch over a table."""
    with _lock:
        watch = _watches.get(table)
        if watch is None:
            watch = _watches[table] = Watch(table)
        return watch
