"""Steps of a LangGraph graph."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Optional

from keito.metering import AgentRun, Outcome
from keito_langchain.context import starting_graph

_TAG = "graph:step:"
_NAMESPACE = "langgraph_checkpoint_ns"
"""Tells of which step code is a part. All that a step calls inherits it, and further attempts have the same."""


def opening(
    name: Optional[str], tags: Optional[Sequence[str]], metadata: Optional[Mapping[str, Any]]
) -> Optional[Callable[[AgentRun], AgentRun]]:
    """What makes the run of a LangChain run that starts, out of the one around it, where LangGraph steers it.

    Args:
        name: Its name.
        tags: Of its config.
        metadata: Likewise.
    """
    namespace = metadata.get(_NAMESPACE) if metadata else None
    if _is_step(tags):
        return partial(StepRun, namespace=namespace)
    if metadata is None or namespace is None:
        return None
    if _is_task(name, metadata):
        return partial(_task_in, namespace=namespace)
    graph = starting_graph()
    return UnsavedGraphRun if graph is not None and getattr(graph, "checkpointer", None) is False else None


def _is_step(tags: Optional[Sequence[str]]) -> bool:
    """Whether a run is a task of a graph, which a node's code is executed in. Runs inside it don't have the tag."""
    return bool(tags) and any(tag.startswith(_TAG) for tag in tags or ())


def _is_task(name: Optional[str], metadata: Mapping[str, Any]) -> bool:
    """Whether a run is a `@task` of the functional API, which a step has called."""
    path: Sequence[Any] = metadata.get("langgraph_path") or ()
    return name == metadata.get("langgraph_node") and len(path) > 1 and isinstance(path[1], tuple)


def _task_in(around: AgentRun, namespace: Optional[str]) -> AgentRun:
    is_known = isinstance(around, StepRun) and around.namespace == namespace  # something of its name, inside of it
    return around if is_known else StepRun(around, namespace)


class UnsavedGraphRun(AgentRun):
    """A graph that a step calls and that keeps no checkpoints: with the step, all of it is executed again."""

    def __init__(self, around: AgentRun) -> None:
        super().__init__(parent=around, uid=around.root.uid)
        self.extent = around.extent
        self._step = around

    def log_outcome(self, outcome: Outcome) -> bool:
        """Leave an outcome to the step; answers whether it counts."""
        return self._step.log_outcome(outcome)


class StepRun(AgentRun):
    """A step of a graph, or a task of the functional API. Outcomes that are logged in it count when it ends.

    A step that LangGraph interrupts is executed again from its beginning when the graph is resumed, and logs them
    again; the steps and tasks inside of it are not, since their results are saved. One that fails may be executed again
    as well. Its model calls are made again, too, and count each time: the provider charges for both.

    Args:
        around: The run that it is a part of.
        namespace: Which execution of which step it is.

    Attributes:
        namespace: Likewise.
        is_unsaved: Whether it is executed again with the step around it.
    """

    def __init__(self, around: AgentRun, namespace: Optional[str] = None) -> None:
        super().__init__(parent=around, uid=around.root.uid)
        self.extent = around.extent
        self.namespace = namespace
        self.is_unsaved: bool = isinstance(around, UnsavedGraphRun) or (
            isinstance(around, StepRun) and around.is_unsaved
        )
        self._into = around if self.is_unsaved else around.root
        self._held: list[Outcome] = []
        self._settled = False
        self._lock = threading.Lock()

    def log_outcome(self, outcome: Outcome) -> bool:
        """Keep an outcome until the step ends; answers whether it still counts."""
        with self._lock:
            held = not self._settled and self.is_open and isinstance(outcome, Outcome)  # pyright: ignore[reportUnnecessaryIsInstance]
            if held:
                self._held.append(outcome)
        return held or super().log_outcome(outcome)

    def settle(self, *, again: bool) -> None:
        """The step has ended.

        Args:
            again: It was interrupted or has failed, and is executed again.
        """
        with self._lock:
            held, self._held, self._settled = self._held, [], True
        for outcome in () if again else held:
            self._into.log_outcome(outcome)
