"""One run of an agent, and what happened in it."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Optional, Union

from keito.metering.call import LLMCall, NoUsage
from keito.metering.current import enter_run, leave_run
from keito.metering.outcome import Outcome
from keito.metering.status import RunStatus
from keito.metering.usage import Usage

_log = logging.getLogger("keito.billing")


class AgentRun:
    """Collects what one run of an agent did. Nothing here does I/O, and every event costs the same, small time.

    A run may have children; what they record counts for their root, which is what gets billed.
    All methods may be called from any thread.

    Args:
        name: What ran, for people.
        agent_id: Which agent it was.
        framework: What the agent is built with, such as `langchain`.
        session_id: Joins the runs of one conversation; the run's own uid when not given.
        trigger: What started it, such as `webhook`.
        parent: The run that this one is a part of.
        owner: Who bills the run; compared by identity only.
    """

    def __init__(
        self,
        name: Optional[str] = None,
        *,
        agent_id: Optional[str] = None,
        framework: Optional[str] = None,
        session_id: Optional[str] = None,
        trigger: Optional[str] = None,
        parent: Optional[AgentRun] = None,
        owner: Optional[object] = None,
    ) -> None:
        self.uid = uuid.uuid4().hex
        self.name = name
        self.agent_id = agent_id
        self.framework = framework
        self.trigger = trigger
        self.root: AgentRun = self if parent is None else parent.root
        self.session_id: str = session_id or (self.uid if parent is None else parent.session_id)
        self.owner: Optional[object] = owner if parent is None else parent.owner
        self.notes: Optional[str] = None
        self.status = RunStatus.OPEN
        self.late_events = 0
        # With the machine's own offset, so that the day of the run stays the same wherever it is looked at.
        self.started_at = datetime.now().astimezone()
        self._began = time.perf_counter_ns()
        self._took: Optional[int] = None
        self._calls: list[LLMCall] = []
        self._outcomes: list[Outcome] = []
        self._lock: threading.Lock = threading.Lock() if parent is None else parent._lock
        self._outer: Optional[AgentRun] = None

    @property
    def is_open(self) -> bool:
        """Whether events still count: until the root has ended."""
        return self.root.status is RunStatus.OPEN

    @property
    def duration_ns(self) -> int:
        """How long it took, or has taken so far, in nanoseconds of a clock that nobody sets."""
        return time.perf_counter_ns() - self._began if self._took is None else self._took

    @property
    def calls(self) -> tuple[LLMCall, ...]:
        """The model calls of the root and all its children, in the order of recording."""
        with self._lock:
            return tuple(self.root._calls)

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The outcomes of the root and all its children, in the order of logging."""
        with self._lock:
            return tuple(self.root._outcomes)

    def record(self, call: LLMCall) -> bool:
        """Add a model call; answers whether it still counts."""
        return self._add(self.root._calls, call)

    def record_llm_call(
        self,
        *,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        input_tokens: Optional[int] = None,
        output_tokens: Optional[int] = None,
        cache_read_tokens: int = 0,
        cache_write_tokens: Optional[int] = None,
        cache_write_5m_tokens: int = 0,
        cache_write_1h_tokens: int = 0,
        reasoning_tokens: int = 0,
        input_audio_tokens: int = 0,
        output_audio_tokens: int = 0,
        tier: Optional[str] = None,
        cached: bool = False,
        reported_cost: Optional[Union[Decimal, int, str]] = None,
    ) -> bool:
        """Add a model call by its counts, which mean what `Usage` says.

        Args:
            provider: Who served it, such as `openai`.
            model: The served model.
            input_tokens: All input, cache reads and writes included; `None` when it is not known.
            output_tokens: All output, reasoning included; `None` when it is not known.
            cache_read_tokens: Part of the input that was read from the provider's prompt cache.
            cache_write_tokens: Part of the input that was written to it; by default the sum of the next two.
            cache_write_5m_tokens: Part of it that is kept for 5 minutes.
            cache_write_1h_tokens: Part of it that is kept for 1 hour.
            reasoning_tokens: Part of the output that the user does not see.
            input_audio_tokens: Part of the input that was sound.
            output_audio_tokens: Part of the output that is sound.
            tier: The service tier, such as `flex`.
            cached: The answer came from a response cache on this side, and costs nothing.
            reported_cost: What the provider says that it cost, in US dollars.

        Returns:
            Whether the call still counts: `False` after the end of the run.
        """
        writes = cache_write_5m_tokens + cache_write_1h_tokens if cache_write_tokens is None else cache_write_tokens
        usage = Usage(
            input_tokens=input_tokens or 0,
            output_tokens=output_tokens or 0,
            cache_read_tokens=cache_read_tokens,
            cache_write_tokens=writes,
            cache_write_5m_tokens=cache_write_5m_tokens,
            cache_write_1h_tokens=cache_write_1h_tokens,
            reasoning_tokens=reasoning_tokens,
            input_audio_tokens=input_audio_tokens,
            output_audio_tokens=output_audio_tokens,
        )
        known = input_tokens is not None or output_tokens is not None
        now = datetime.now().astimezone()
        call = LLMCall(
            started_at=now,
            ended_at=now,
            provider=provider,
            served_model=model,
            usage=usage if known else None,
            no_usage=None if known else NoUsage.NOT_REPORTED,
            tier=tier,
            cached=cached,
            reported_cost=None if reported_cost is None else Decimal(reported_cost),
        )
        return self.record(call)

    def log_outcome(self, outcome: Outcome) -> bool:
        """Add an outcome, to be billed when the run completes; answers whether it still counts."""
        return self._add(self.root._outcomes, outcome)

    def set_notes(self, notes: str) -> None:
        """Set the text of the time entry."""
        self.notes = notes

    def child(self, name: Optional[str] = None, *, trigger: Optional[str] = None) -> AgentRun:
        """A run that is a part of this one. As a context manager it is the current run inside the block."""
        return AgentRun(name, agent_id=self.agent_id, framework=self.framework, trigger=trigger, parent=self)

    def end(self, status: RunStatus = RunStatus.COMPLETED) -> bool:
        """End the run; answers whether this was the end: the first one counts."""
        with self._lock:
            if self.status is not RunStatus.OPEN:
                return False
            self._took = time.perf_counter_ns() - self._began
            self.status = status
            return True

    def __enter__(self) -> AgentRun:
        self._outer = enter_run(self)
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        leave_run(self, self._outer)
        self.end(RunStatus.after(error))

    async def __aenter__(self) -> AgentRun:
        return self.__enter__()

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.__exit__(kind, error, trace)

    def _add(self, events: list[Any], event: object) -> bool:
        root = self.root
        with self._lock:
            if root.status is RunStatus.OPEN:
                events.append(event)
                return True
            root.late_events += 1
            first = root.late_events == 1
        if first:
            _log.warning("Run %s (%s) had ended when more arrived (%s); not billed", root.uid, root.name, _kind(event))
        return False


def _kind(event: object) -> str:
    return "a model call" if isinstance(event, LLMCall) else "an outcome"
