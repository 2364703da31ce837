"""Open LangChain runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional
from weakref import ref

from keito.metering import AgentRun, LLMCall
from keito.metering.framework_call import FrameworkCall
from keito_langchain.context import is_in_model, is_in_model_of_model
from keito_langchain.steps import StepRun

Key = Hashable
"""What stands for an open LangChain run: the number of its id, which is hashed faster, while only one has that id."""


class ModelStart(FrameworkCall):
    """What the start of a model call told. Its end brings no metadata, so this is kept.

    It also tells metered clients below that the call is reported here.

    Attributes:
        provider: Who is asked.
        model: The requested model.
        batch_size: How many prompts were asked together.
        at: When.
        held: LangChain's own id of it, which it keeps for as long as the call lasts.
        table: Where it is open.
        inside: The calls of other models that were counted inside of it, if any were.
        beside: Those that were counted in tasks and threads that were started meanwhile: by its code, or where it is a
            stream, by the code that reads it.
        is_left_out: Whether another billing counts it, whose handler is told of it, too.
    """

    __slots__ = ("at", "batch_size", "beside", "held", "inside", "is_left_out", "model", "provider", "table")

    provider: Optional[str]
    model: Optional[str]
    batch_size: int
    at: datetime
    held: Callable[[], object]
    table: object
    inside: Optional[list[LLMCall]]
    beside: Optional[list[LLMCall]]
    is_left_out: bool

    @property
    def is_open(self) -> bool:
        """Whether the code that asks is a part of the call.

        Code beside it sees it, too: between the parts of a stream, and after an `ainvoke` that was cancelled, of whose
        end LangChain never tells. There no code of a model is on the stack. In a task or thread that the model or that
        program has started nothing is to be seen of that; but then LangChain soon lets go of what was cancelled.
        """
        if not self._is_open:
            return False
        return is_in_model() if self.is_here else self.held() is not None

    def leave(self, response_id: Optional[str] = None) -> None:
        """End it. A model of LangChain around it learns what is counted, and never takes its id for that of its own."""
        around = outer = self.outer
        if outer is None:  # decided first: it is nearly always so, and the agent waits for it
            self._is_open, self.run, self._entered = False, None, None
            return
        while isinstance(around, ModelStart):
            around = around.outer
        self.outer = around
        super().leave(response_id)
        self.outer = outer

    def counted_inside(self, call: LLMCall) -> None:
        """The call of another model was counted, which began while this one was open."""
        if not self._is_open:
            return
        if not self.is_here and self.held() is not None:
            self.beside = [*(self.beside or ()), call]
        elif is_in_model_of_model():
            self.inside = [*(self.inside or ()), call]


@dataclass(slots=True)
class Root:
    """A run of an agent, and the LangChain runs inside it.

    Attributes:
        run: What gets billed.
        name: The name of the LangChain run.
        key: By which the table has it.
        open: Those inside it that have not ended, the oldest first.
        paused: LangGraph stopped it to wait for somebody.
        held: LangChain's own id of it, which it keeps for as long as it may report the end; `None` if that is not so.
        began_ns: When it began, by `time.perf_counter_ns`.
        heard_ns: When it was heard of last.
        failed: Steps of a graph that have failed, and that it may execute again.
        uid: Tells it from all others: the uid of its first run.
    """

    run: AgentRun
    name: Optional[str]
    key: Key
    open: dict[Key, None] = field(default_factory=dict[Key, None])
    paused: bool = False
    held: Optional[ref[Any]] = None
    began_ns: int = field(default_factory=time.perf_counter_ns)
    heard_ns: int = field(default_factory=time.perf_counter_ns)
    failed: list[StepRun] = field(default_factory=list[StepRun])
    uid: str = field(init=False)

    def __post_init__(self) -> None:
        # Late calls of one run share what they are recorded into.
        self.uid = f"{self.run.uid}/{self.key}" if self.is_late else self.run.uid

    def begin_again(self, step: StepRun) -> None:
        """A step starts. What its failed attempts have achieved is achieved once more."""
        for failed in [one for one in self.failed if one.namespace is not None and one.namespace == step.namespace]:
            self.failed.remove(failed)
            failed.settle(again=True)

    @property
    def is_forgotten(self) -> bool:
        """Whether LangChain has let go of it without a word, as of an `ainvoke` that is cancelled."""
        return self.held is not None and self.held() is None

    @property
    def is_late(self) -> bool:
        """Whether it is a model call that began after the end of its run, whose supplement bills it."""
        return self.run.supplement_to is not None


@dataclass(slots=True)
class Node:
    """One open LangChain run.

    Attributes:
        root: What it belongs to.
        run: What it is recorded into: the run of the root, of the graph's step that it is a part of, or of a block of
            code around it that is billed by itself.
        told: The metadata that its start told, which are an object of its own in each run.
        is_root: Whether its end is the end of the root.
        step: What is logged in it, if it is a step of a graph.
        model: What is known of the model call, if it is one.
        entered: Whether `run` was made the current one of the context for it.
        outer: What was current before.
    """

    root: Root
    run: AgentRun
    told: Any = None
    is_root: bool = False
    step: Optional[StepRun] = None
    model: Optional[ModelStart] = None
    entered: bool = False
    outer: Optional[AgentRun] = None
