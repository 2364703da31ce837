"""One execution of CrewAI inside a run: what its model calls are recorded into."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import datetime, timezone
from functools import reduce
from operator import add
from typing import Any, Optional, Union
from weakref import WeakSet

from keito.billing.account import RunAccount
from keito.metering import AgentRun, LLMCall, NoUsage, Usage
from keito_crewai.below import CallsBelow
from keito_crewai.binding import Binding, current_binding
from keito_crewai.calls import CallTable, EndedCall
from keito_crewai.framework import bus
from keito_crewai.reading import provider_of
from keito_crewai.tally import tally_of

_log = logging.getLogger("keito.billing")
_warned: set[tuple[str, str]] = set()

SILENT = "its calls emit no events"
"""Why a model is unmetered that CrewAI never spoke of: tutorials of custom models have no events."""


class Session:
    """The outermost kickoff in a run, with all that happens inside it.

    Args:
        run: What its model calls are recorded into.
        binding: What it is billed by.

    Attributes:
        below: What metered clients and other frameworks below report.
        stop: The error by which a budget has stopped it.
    """

    def __init__(self, run: AgentRun, binding: Binding) -> None:
        self.run = run
        self.binding = binding
        self.tally = tally_of(run.root)
        self.calls = CallTable(self._record)
        self.below = CallsBelow.enter()
        self.stop: Optional[Exception] = None
        self._known_before = _chats(run)
        self._recorded = 0
        self._heard: set[tuple[Optional[str], Optional[str]]] = set()
        self._ran: dict[str, Any] = {}
        open_sessions.add(self)

    @property
    def is_open(self) -> bool:
        """Whether its end is still to come."""
        return not self.below.is_over

    @property
    def is_exact(self) -> bool:
        """Whether clients are metered here: by the wish of what is executed, or of a flow or crew around it."""
        here = current_binding()
        return self.binding.exact or (here is not None and here.exact)

    def heard(self, agent_id: Optional[str], model: Optional[str]) -> None:
        """There was an event of a model call."""
        self._heard.add((agent_id, model))

    def ran(self, agent: Any) -> None:
        """An agent has done something."""
        self._ran[str(agent.id)] = agent

    def ended(self, call_id: str, ended: EndedCall) -> None:
        """A model call has ended."""
        ids, own = self.below.ids_of(call_id), ended.call.response_id
        if ids is None or (own is not None and ids and own not in ids):
            self.calls.ended(call_id, ended)
        elif self.calls.counted(call_id) and self._is_own(ended):
            self._recorded += max(len(ids), 1)
            self.tally.call(ended.role, ended.task_id, ended.call.usage or self._usage_of(ids))

    def settle(self, patience: float) -> None:
        """Wait for the events that are on their way, and record what has no tokens. Everything is in the run then."""
        until = time.monotonic() + patience
        # The handlers of the bus run in its own threads. One of them would wait for itself.
        is_flushed = _is_handler() or bus().flush(timeout=max(patience, 0.1))
        if not self.calls.wait(until) or not is_flushed:
            self.tally.incomplete()
            if isinstance(self.run.ledger, RunAccount):
                self.run.ledger.flags.add("usage_incomplete")
        for ended in (*self.calls.rest(), *self._silent()):
            self._record(ended)

    def close(self) -> None:
        """Put the breakdown into the run. What comes later is late."""
        self.below.leave()
        open_sessions.discard(self)
        self.run.root.details.update(self.tally.details())

    def _usage_of(self, ids: frozenset[str]) -> Optional[Usage]:
        found = [call.usage for call in self.run.calls if call.response_id in ids and call.usage is not None]
        return reduce(add, found) if found else None

    def _is_own(self, ended: EndedCall) -> bool:
        """Whether it is billed here, and not to the project of a run that a tool has started around it."""
        return ended.run is None or ended.run.root is self.run.root

    def _record(self, ended: EndedCall) -> None:
        is_own = self._is_own(ended)
        self._recorded += (ended.run or self.run).record(ended.call) and is_own
        if is_own:
            self.tally.call(ended.role, ended.task_id, ended.call.usage)
        if ended.call.usage is None and ended.call.no_usage is not NoUsage.FAILED:
            reason = SILENT if ended.call.operation == _UNHEARD else str(ended.call.no_usage)
            if is_own:
                self.tally.unmetered(ended.call.model, reason)
            _warn(ended.call.model or "unknown", reason)

    def _silent(self) -> list[EndedCall]:
        """For each agent that worked without any event of a model call, one call whose tokens are not known."""
        if _chats(self.run) - self._known_before > self._recorded:
            return []  # something below reports the calls of a model that CrewAI does not speak of
        return [_unheard(agent) for agent_id, agent in self._ran.items() if not self._has_heard(agent_id, agent)]

    def _has_heard(self, agent_id: str, agent: Any) -> bool:
        model = getattr(getattr(agent, "llm", None), "model", None)
        return (None, model) in self._heard or any(heard == agent_id for heard, _ in self._heard)


class _Outside:
    """Stands for work that nobody is billed for."""


_UNHEARD = "unheard"
_OUTSIDE = _Outside()
_session: ContextVar[Union[Session, _Outside, None]] = ContextVar("keito_crewai_session", default=None)
open_sessions: WeakSet[Session] = WeakSet()
"""Those that may be missing a call that nobody can attribute."""


def current_session() -> Optional[Session]:
    """The session that the code is a part of, ended ones included: what comes late comes to them."""
    found = _session.get()
    return found if isinstance(found, Session) else None


def is_outside() -> bool:
    """Whether the code belongs to an execution that nobody is billed for."""
    return _session.get() is _OUTSIDE


def outside() -> AbstractContextManager[None]:
    """Within the block, nobody is billed for model calls."""
    return _within(_OUTSIDE)


@contextmanager
def inside(session: Session) -> Generator[None, None, None]:
    """Within the block, model calls belong to `session`."""
    before = _session.get()
    _session.set(session)
    try:
        yield
    finally:
        if _session.get() is session:  # a generator may be closed in another context
            _session.set(before)


def within_session(session: Optional[Session]) -> AbstractContextManager[None]:
    """The same for whoever goes on with work that was started elsewhere, where there may have been none."""
    return _within(session)


@contextmanager
def _within(whose: Union[Session, _Outside, None]) -> Generator[None, None, None]:
    before = _session.get()
    _session.set(whose)
    try:
        yield
    finally:
        _session.set(before)


def _chats(run: AgentRun) -> int:
    """How many model calls are in a run, without the embeddings, which CrewAI never speaks of."""
    return sum(call.operation != "embeddings" for call in run.calls)


def _is_handler() -> bool:
    return threading.current_thread().name.startswith(("CrewAISyncHandler", "CrewAIEventsLoop"))


def _unheard(agent: Any) -> EndedCall:
    llm, now = getattr(agent, "llm", None), datetime.now(timezone.utc)
    model = getattr(llm, "model", None) or type(llm).__name__
    call = LLMCall(now, now, provider_of(llm), model, no_usage=NoUsage.NOT_REPORTED, operation=_UNHEARD)
    return EndedCall(call, getattr(agent, "role", None))


def _warn(model: str, reason: str) -> None:
    if (model, reason) not in _warned:
        _warned.add((model, reason))
        _log.warning(
            "Calls of model %s have no known cost: %s. Add them with keito.metering.record_llm_call() where they are "
            "made, or bill with exact=True if the model is CrewAI's own for OpenAI or Anthropic",
            model,
            reason,
        )
