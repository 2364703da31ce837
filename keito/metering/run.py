"""One run of an agent, and what happened in it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Hashable, Mapping
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Optional

from keito.metering.biller import Biller, Ledger, raise_failure
from keito.metering.by_hand import Number, exact
from keito.metering.current import Extent, enter_run, leave_run
from keito.metering.events import RunEvents
from keito.metering.recorder import Recorder
from keito.metering.status import RunStatus
from keito.metering.stopwatch import Stopwatch
from keito.metering.text import text_of

_OPEN = RunStatus.OPEN  # an agent waits while it is asked for, and an enumeration takes its time to find a member


class AgentRun(Recorder):
    """Collects what one run of an agent did. Nothing here does I/O, and every event costs the same, small time.

    A run may have children. What they record counts for their root, which is what gets billed; but a child that names
    a project or task of its own is a root itself: it is billed by itself, and the time of the run around it stands
    still meanwhile. All methods may be called from any thread.

    Args:
        name: What ran, for people.
        agent_id: Which agent it was.
        framework: What the agent is built with, such as `langchain`.
        session_id: Joins the runs of one conversation; the run's own uid when not given.
        trigger: What started it, such as `webhook`.
        parent: The run that this one is a part of.
        supplement_to: The ended run whose late events this one collects.
        owner: Who bills the run.
        ledger: Keeps what the run spends; without one it keeps every call itself.
        project_id: The project that this run is billed to, whatever the policy says.
        task_id: The same for the task.
        by_itself: Bill it by itself although it has a parent, as a project or task of its own does.
        attributes: What the program knows of the run, such as `{"tenant": "acme"}`. They choose the policy and may
            stand in notes; they are not posted.
        uid: Identifies the run for ever; drawn by default.
        started_at: When it began, with time zone; now by default.

    Attributes:
        root: The run that is billed for this one; itself, if it is a root.
        parent_id: The uid of the run that this one was started in.
        status: How it stands.
        notes: The text of the time entry.
        confidence: The agent's own estimate of its work, from 0 to 1.
        human_reviewed: Whether a person has looked at the result.
        inputs: What the agent was given, where a framework tells, for a policy whose outcome depends on it. It is not
            posted.
        result: What the agent came to, likewise.
        trace_id: The OpenTelemetry trace that shows the run, as 32 hexadecimal digits.
        details: What an integration knows of the run beyond that: counts, names and ids that are JSON-ready. They stand
            in the metadata of its first time entry, as far as there is room.
        extent: How far it reaches, where a framework makes it current in code beside it, too. For integrations.
        waiting: What paused inside it and has not gone on since. While there is any, it does not complete.
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
        supplement_to: Optional[AgentRun] = None,
        owner: Optional[Biller] = None,
        ledger: Optional[Ledger] = None,
        project_id: Optional[str] = None,
        task_id: Optional[str] = None,
        by_itself: bool = False,
        attributes: Optional[Mapping[str, Any]] = None,
        uid: Optional[str] = None,
        started_at: Optional[datetime] = None,
    ) -> None:
        is_part = parent is not None and project_id is None and task_id is None and not by_itself
        self.uid = uid or uuid.uuid4().hex
        self.name = text_of(name)
        self.agent_id = agent_id
        self.framework = framework
        self.trigger = text_of(trigger)
        self.project_id = project_id
        self.task_id = task_id
        self.root = parent.root if parent is not None and is_part else self
        self.parent_id = None if parent is None else parent.uid
        self.session_id: str = text_of(session_id) or (self.uid if parent is None else parent.session_id)
        self.owner = self.root.owner if is_part else owner or (None if parent is None else parent.owner)
        self.ledger = self.root.ledger if is_part else ledger
        self.attributes: Mapping[str, Any] = {**(parent.attributes if parent is not None else {}), **(attributes or {})}
        self.notes: Optional[str] = None
        self.confidence: Optional[Decimal] = None
        self.human_reviewed: Optional[bool] = None
        self.inputs: Any = None
        self.result: Any = None
        self.trace_id: Optional[str] = None
        self.details: dict[str, Any] = {}
        self.extent: Optional[Extent] = None
        self.waiting: set[Hashable] = set()
        self.status = RunStatus.OPEN
        self.supplement_to = supplement_to
        earlier = None if supplement_to is None else supplement_to._events
        self._events = self.root._events if is_part else RunEvents(ledger, earlier)
        self._supplements = 0
        self._ended_at: Optional[float] = None
        self._outer: Optional[AgentRun] = None
        # Whose time stands still while this run lasts; its clock stops before this one starts.
        self._around = parent.root if parent is not None and not is_part else None
        if self._around is not None:
            self._around._stand_aside(leaving=True)
        self._watch = Stopwatch(started_at)

    @property
    def is_open(self) -> bool:
        """Whether events still count: until the root has ended."""
        return self.root.status is _OPEN

    @property
    def around(self) -> Optional[AgentRun]:
        """The root whose time stands still while this run lasts, because it is billed by itself."""
        return self._around

    @property
    def started_at(self) -> datetime:
        """When it began, with time zone."""
        return self._watch.started_at

    @property
    def elapsed_ns(self) -> int:
        """From its start to its end, or until now, in nanoseconds of a clock that nobody sets."""
        return self._watch.elapsed_ns

    @property
    def duration_ns(self) -> int:
        """`elapsed_ns` without the children that are billed by themselves: the time that this run is billed for."""
        with self._events.lock:
            return self._watch.active_ns

    @property
    def away_ns(self) -> Mapping[int, int]:
        """Nanoseconds of children that are billed by themselves, by the quarter of an hour since 1970."""
        return self._watch.away

    @property
    def left_at_ns(self) -> Optional[int]:
        """Since when, after its start, such a child lasts; `None` while none does."""
        return self._watch.left_at

    def was_away(self, away: Mapping[int, int], left_at: Optional[int]) -> None:
        """Take over what another process knew of its children: `away_ns` and `left_at_ns`."""
        self._watch.resume(away, left_at)

    def set_notes(self, notes: str) -> None:
        """Set the text of the time entry."""
        self.notes = text_of(notes)

    def set_result(self, result: Any) -> None:
        """Keep what the agent came to, for a policy whose outcome depends on it. It is not posted."""
        self.root.result = result

    def set_quality(self, *, confidence: Optional[Number] = None, human_reviewed: Optional[bool] = None) -> None:
        """Say how good the work is: the agent's own estimate from 0 to 1, and whether a person has looked at it.

        Raises:
            ValueError: The confidence is not between 0 and 1.
        """
        if confidence is not None:
            value = exact("confidence", confidence)
            if value > 1:
                raise ValueError(f"confidence is between 0 and 1; got {confidence!r}")
            self.root.confidence = value
        if human_reviewed is not None:
            self.root.human_reviewed = human_reviewed

    def child(
        self,
        name: Optional[str] = None,
        *,
        trigger: Optional[str] = None,
        project_id: Optional[str] = None,
        task_id: Optional[str] = None,
    ) -> AgentRun:
        """A run that is a part of this one. As a context manager it is the current run inside the block.

        Args:
            name: What runs, for people.
            trigger: What started it.
            project_id: Bill it by itself, to this project; the run around it is not billed for its time.
            task_id: The same for a task.
        """
        if self.owner is not None and not (project_id is None and task_id is None):
            return self.owner.start(
                name,
                trigger=trigger,
                framework=self.framework,
                parent=self,
                project_id=project_id,
                task_id=task_id,
            )
        return AgentRun(
            name,
            agent_id=self.agent_id,
            framework=self.framework,
            trigger=trigger,
            parent=self,
            project_id=project_id,
            task_id=task_id,
        )

    def end(self, status: RunStatus = RunStatus.COMPLETED, *, elapsed_ns: Optional[int] = None) -> bool:
        """End the run; what it spent is billed by its owner's `finish`.

        Args:
            status: How it ended.
            elapsed_ns: How long it took, if that is known better than by this process's clock.

        Returns:
            Whether this was the end: the first one counts.
        """
        with self._events.lock:
            if self.status is not RunStatus.OPEN:
                return False
            self._watch.stop(elapsed_ns)
            self.status = status
            self._ended_at = time.monotonic()
            if self.root is self:
                self._events.close()
        if self._around is not None:
            self._around._stand_aside(leaving=False)
        return True

    @property
    def ended_for(self) -> float:
        """How many seconds ago the run ended; 0 while it is open."""
        return 0.0 if self._ended_at is None else time.monotonic() - self._ended_at

    def supplement(self, ledger: Ledger) -> AgentRun:
        """A run that takes what comes after the end of this one. It has no time; its uid follows from this one's."""
        with self._events.lock:
            number = self._supplements
            self._supplements += 1
        run = AgentRun(
            self.name,
            agent_id=self.agent_id,
            framework=self.framework,
            session_id=self.session_id,
            trigger=self.trigger,
            supplement_to=self,
            owner=self.owner,
            ledger=ledger,
            project_id=self.project_id,
            task_id=self.task_id,
            attributes=self.attributes,
            uid=f"{self.uid}-late-{number}",
            started_at=self.started_at,
        )
        run.parent_id, run.trace_id = self.uid, self.trace_id
        return run

    def __enter__(self) -> AgentRun:
        self._outer = enter_run(self)
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        leave_run(self, self._outer)
        if self._is_billed:
            assert self.owner is not None
            raise_failure(self.owner.finish(self, RunStatus.after(error)), error)
        else:
            self.end(RunStatus.after(error))

    async def __aenter__(self) -> AgentRun:
        return self.__enter__()

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        leave_run(self, self._outer)
        if self._is_billed:
            assert self.owner is not None
            raise_failure(await self.owner.afinish(self, RunStatus.after(error)), error)
        else:
            self.end(RunStatus.after(error))

    @property
    def _is_billed(self) -> bool:
        return self.root is self and self.owner is not None

    def _stand_aside(self, *, leaving: bool) -> None:
        with self._events.lock:
            if leaving:
                self._watch.leave()
            else:
                self._watch.come_back()
