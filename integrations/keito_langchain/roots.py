"""The runs that LangChain's roots stand for: how each starts, and how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Optional

from keito.billing import AgentBilling
from keito.metering import AgentRun, RunStatus
from keito_langchain import graph
from keito_langchain.closing import close, give_up, leave_open, watch_of
from keito_langchain.nodes import Node, Root
from keito_langchain.places import place_of
from keito_langchain.rivals import LeftOut
from keito_langchain.routing import agent_of, fields_of
from keito_langchain.steps import StepRun
from keito_langchain.table import RunTable, table_of


class Roots:
    """Starts and ends the runs of one billing.

    Args:
        billing: Bills them.

    Attributes:
        billing: The same.
        table: What is open.
        watch: Gives up what nobody ends.
        left_out: Roots that another handler bills.
    """

    def __init__(self, billing: AgentBilling) -> None:
        self.billing = billing
        self.table: RunTable = table_of(billing)
        self.watch = watch_of(self.table)
        self.left_out = LeftOut(billing)
        self._succession = threading.Lock()

    def start(
        self,
        name: Optional[str],
        metadata: Optional[Mapping[str, Any]],
        inputs: Any,
        *,
        around: Optional[AgentRun],
        ended: Optional[AgentRun],
    ) -> AgentRun:
        """Start a run inside `around`, or for whom `ended` was: it was started there, and has outlived it."""
        fields = {**({} if ended is None else place_of(ended)), **fields_of(metadata)}
        attributes = metadata if ended is None else {**ended.attributes, **(metadata or {})}
        parent = self.billing.near(around)  # one of another account is none
        run = self.billing.start(name, framework="langchain", parent=parent, attributes=attributes, **fields)
        if run.root.session_id == run.root.uid:
            run.root.session_id = run.session_id  # a block that names none is a part of the conversation of its graph
        run.agent_id = agent_of(metadata) or run.agent_id
        run.inputs = inputs
        return run

    def opened(self, node: Node) -> None:
        """A run of LangChain is open. Where there are too many, the oldest make room."""
        if not node.is_root:
            self.leave_surplus(node.root)
            return
        self.watch.begin()
        for root in self.table.surplus():
            self.table.dropped += 1
            give_up(self.table, root)

    def leave_surplus(self, root: Root) -> None:
        """Count the oldest of what is open in a root, where that is too much."""
        surplus = self.table.surplus_of(root)
        if surplus is not None:
            leave_open(self.table, *surplus)

    def left(self, node: Node, error: Optional[BaseException]) -> None:
        """A run of LangChain has ended; if it is a root, so does what is billed."""
        root = node.root
        if node.step is not None:
            _leave_step(root, node.step, error)
        if error is not None and graph.is_pause(error):
            root.paused = True
        if node.is_root:
            close(self.table, root, _status(root, error))

    def successor(self, root: Root) -> AgentRun:
        """The run of a root whose own has ended too long ago for a supplement: the rest is billed by itself."""
        with self._succession:  # calls at a time have one successor, and not one each
            if not root.run.is_open:
                root.began_ns = time.perf_counter_ns()
                root.run = self.start(root.name, None, None, around=None, ended=root.run)
            return root.run


def _leave_step(root: Root, step: StepRun, error: Optional[BaseException]) -> None:
    if error is None or graph.is_control_flow(error):
        step.settle(again=graph.is_interrupt(error))
    else:
        root.failed.append(step)


def _status(root: Root, error: Optional[BaseException]) -> RunStatus:
    if error is not None and not graph.is_control_flow(error):
        return RunStatus.after(error)
    return RunStatus.PAUSED if root.paused else RunStatus.COMPLETED
