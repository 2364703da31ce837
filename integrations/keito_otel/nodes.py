"""Open spans, and the runs that they belong to."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Optional
from weakref import ref

from opentelemetry.sdk.trace import ReadableSpan

from keito.metering import AgentRun, LLMCall
from keito.metering.framework_call import FrameworkCall
from keito_otel.roles import Role


@dataclass(eq=False)  # without slots: the table of claims refers to it weakly
class Root:
    """A span in which a run happens, and what is inside it.

    Attributes:
        span: The span.
        scope: Which instrumentation made it.
        given: What baggage says of the run.
        is_picked: It was chosen by the program, and not by being the first span of this process.
        run: What gets billed; made as soon as there is work of an agent.
        around: The run that this one was started in.
        is_double: Another processor bills this very span by the same policy.
        open: Ids of the open spans inside, the root's own included.
        began_at: When it began, by `time.monotonic()`.
        seen_at: When something last happened, by the same clock.
        session: The conversation that spans inside name.
        agent: The agent that they name.
        session_depth: How many spans are around the one that named the conversation.
        agent_depth: The same for the agent.
        embeddings: When those began that spans reported.
        sums: What the first agent in it counted of its calls, as if it were one.
        is_called: Whether model calls in it are known by themselves.
        ended: Whether the root's span has ended.
        is_lost: It was given up before. What starts in it is a run of its own.
        before: The run that was the current one where its own first became so.
        handled: Identifies the exception that the code around it was handling when it began.
    """

    span: ReadableSpan
    scope: str
    given: Mapping[str, Any]
    is_picked: bool = False
    run: Optional[AgentRun] = None
    around: Optional[AgentRun] = None
    is_double: bool = False
    open: set[int] = field(default_factory=set[int])
    began_at: float = field(default_factory=time.monotonic)
    seen_at: float = field(default_factory=time.monotonic)
    session: Optional[str] = None
    agent: Optional[str] = None
    session_depth: int = 0
    agent_depth: int = 0
    embeddings: set[datetime] = field(default_factory=set[datetime])
    sums: Optional[LLMCall] = None
    is_called: bool = False
    ended: bool = False
    is_lost: bool = False
    before: Optional[AgentRun] = None
    handled: int = field(default_factory=lambda: id(sys.exc_info()[1]))

    def rest(self) -> None:
        """If it is billed, it waits for late spans. There may be many such: of its own span only the ids are kept."""
        if self.run is not None:
            self.span = ReadableSpan("", context=self.span.get_span_context(), resource=self.span.resource)
            self.sums = None

    @cached_property
    def weakly(self) -> ref[Root]:
        """A reference that does not keep it: ended spans know where they belonged."""
        return ref(self)

    @property
    def is_over(self) -> bool:
        """Whether everything in it has ended, too: an agent that starts then is a run of its own."""
        return self.ended and not self.open


@dataclass(eq=False)  # what most spans never have is of the class, which takes no time
class Node:
    """An open span.

    Attributes:
        span: The span.
        scope: Which instrumentation made it.
        root: Where it belongs.
        outer: The span around it.
        role: What part it plays, as far as is known.
        run: The run that its model calls count for, where that is not the root's.
        above: The model call of another integration that this span is a part of.
        call: Tells metered clients below that this call is reported here.
        inside: The kind of call that was counted of spans in it: `chat`, or `embeddings`.
        is_counted: Whether its own call was.
        is_waiting: Whether it has ended without usage, and others in it are still open, which may have it.
        is_listed: Whether its call was billed as one that had not ended with the root.
        within: The call around it, as far as was known when it started.
        open_inside: How many model calls in it have not ended.
        held: The calls of spans in it that have no usage.
        entered: Whether the run was made the current one of the context for it.
        before: What was current before.
        is_open: Whether it has not ended.
        previous: The span of an agent that was around the code before.
    """

    span: ReadableSpan
    scope: str
    root: Root
    outer: Optional[Node] = None
    role: Role = "other"
    run: Optional[AgentRun] = field(default=None, init=False)
    above: Optional[FrameworkCall] = field(default=None, init=False)
    call: Optional[SpanCall] = field(default=None, init=False)
    inside: frozenset[str] = field(default=frozenset(), init=False)
    is_counted: bool = field(default=False, init=False)
    is_waiting: bool = field(default=False, init=False)
    is_listed: bool = field(default=False, init=False)
    within: Optional[Node] = field(default=None, init=False)
    open_inside: int = field(default=0, init=False)
    held: tuple[LLMCall, ...] = field(default=(), init=False)
    entered: Optional[AgentRun] = field(default=None, init=False)
    before: Optional[AgentRun] = field(default=None, init=False)
    is_open: bool = field(default=True, init=False)
    previous: Optional[Node] = field(default=None, init=False)

    @property
    def is_root(self) -> bool:
        """Whether the run happens in this very span. It is asked before the span has ended."""
        return self.root.span is self.span

    @property
    def depth(self) -> int:
        """How many spans are around it."""
        return sum(1 for _ in self.outers())

    def outers(self) -> Iterator[Node]:
        """The spans around it, from the inside out."""
        outer = self.outer
        while outer is not None:
            yield outer
            outer = outer.outer


class SpanCall(FrameworkCall):
    """The model call that a span stands for, as seen by metered clients below it."""

    __slots__ = ()
