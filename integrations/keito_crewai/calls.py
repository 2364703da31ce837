"""Model calls of an execution, from their starts to their ends."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Optional

from keito.metering import AgentRun, LLMCall, NoUsage

_KEPT = 4096
"""Ids of calls that are remembered; beyond it the oldest are forgotten."""


@dataclass(frozen=True)
class CallStart:
    """What the start of a call tells.

    Attributes:
        at: When.
        provider: Who is asked.
        model: The requested model.
    """

    at: datetime
    provider: Optional[str]
    model: Optional[str]


@dataclass(frozen=True)
class EndedCall:
    """A call, and who made it.

    Attributes:
        call: The call.
        role: The role of the agent.
        task_id: The task that it was for.
        run: The run in whose context it was made, if that is known. It may have ended before the event was handled.
    """

    call: LLMCall
    role: Optional[str] = None
    task_id: Optional[str] = None
    run: Optional[AgentRun] = None


class CallTable:
    """Sees that each call is recorded once, whatever CrewAI says of it, and how often.

    Events come from ten threads in any order, ends before starts included. A failed call has two ends; one that
    failed and then found another way has two ends of different kinds, of which the one with tokens counts. So calls
    without tokens are recorded at the end only.

    Args:
        record: Takes the calls.
    """

    def __init__(self, record: Callable[[EndedCall], object]) -> None:
        self._record = record
        self._open: dict[str, CallStart] = {}
        self._early: OrderedDict[str, None] = OrderedDict()
        self._counted: OrderedDict[str, None] = OrderedDict()
        self._without: OrderedDict[str, EndedCall] = OrderedDict()
        self._changed = threading.Condition()

    def started(self, call_id: str, start: CallStart) -> None:
        """A call has started."""
        with self._changed:
            if call_id in self._early:
                del self._early[call_id]
            elif call_id not in self._counted and call_id not in self._without:
                self._open[call_id] = start

    def ended(self, call_id: str, ended: EndedCall) -> None:
        """A call has ended, as `ended` says."""
        with self._changed:
            start = self._close(call_id)
            if start is not None:
                ended = replace(ended, call=replace(ended.call, started_at=start.at))
            recorded = None if call_id in self._counted else self._take(call_id, ended)
        if recorded is not None:
            self._record(recorded)

    def counted(self, call_id: str) -> bool:
        """A call has ended that was recorded elsewhere; answers whether this is its first end."""
        with self._changed:
            self._close(call_id)
            if call_id in self._counted:
                return False
            self._without.pop(call_id, None)
            _remember(self._counted, call_id)
            return True

    def wait(self, until: float) -> bool:
        """Wait until no call is open, or the monotonic clock shows `until`; answers whether none is."""
        with self._changed:
            while self._unfinished() and time.monotonic() < until:
                self._changed.wait(until - time.monotonic())
            return not self._unfinished()

    def rest(self) -> list[EndedCall]:
        """The calls of which no tokens are known, and forget them."""
        with self._changed:
            unfinished = list(self._open.values()) if self._unfinished() else []
            rest = [*self._without.values(), *map(_unfinished, unfinished)]
            self._counted.update(dict.fromkeys(self._without))
            self._without.clear()
            self._open.clear()
            return rest

    def _unfinished(self) -> bool:
        # Models of a program's own may emit events without an id of the call: CrewAI makes up one for each event.
        return len(self._open) > len(self._early)

    def _close(self, call_id: str) -> Optional[CallStart]:
        start = self._open.pop(call_id, None)
        if start is None and call_id not in self._counted and call_id not in self._without:
            _remember(self._early, call_id)
        self._changed.notify_all()
        return start

    def _take(self, call_id: str, ended: EndedCall) -> Optional[EndedCall]:
        """What is to be recorded now."""
        if ended.call.usage is not None:
            self._without.pop(call_id, None)
            _remember(self._counted, call_id)
            return ended
        known = self._without.get(call_id)
        if known is None or known.call.no_usage is NoUsage.FAILED:
            self._without[call_id] = ended
        return self._without.popitem(last=False)[1] if len(self._without) > _KEPT else None


def _remember(ids: OrderedDict[str, None], call_id: str) -> None:
    ids[call_id] = None
    if len(ids) > _KEPT:
        ids.popitem(last=False)


def _unfinished(start: CallStart) -> EndedCall:
    now = datetime.now(timezone.utc)
    return EndedCall(LLMCall(start.at, now, start.provider, start.model, no_usage=NoUsage.UNFINISHED))
