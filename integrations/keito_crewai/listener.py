"""Listens to CrewAI's events. Nothing here does I/O: ten threads of the bus serve every crew of the process."""

# Handlers get what CrewAI gives to all of them.
# ruff: noqa: ARG001

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

from keito.billing.guard import Guard
from keito.metering import Outcome
from keito_crewai import reading
from keito_crewai.binding import current_binding, is_installed
from keito_crewai.calls import EndedCall
from keito_crewai.framework import bus, execution_id, is_internal, is_replaying, optional
from keito_crewai.lineage import Orphan, lineage
from keito_crewai.lost import add_unattributed
from keito_crewai.session import Session, is_outside, open_sessions

_log = logging.getLogger("keito.billing")

Handler = Callable[[Any, Any], None]

guard = Guard()
"""Takes what goes wrong in handlers: no billing is known there before the event is attributed."""


def register() -> None:
    """Listen. It is called whenever an execution starts: programs may have cleared the bus meanwhile."""
    for kind, handler in _handlers().items():
        bus().register_handler(kind, handler)


def attribute_rest() -> None:
    """Attribute the calls that came before the events around them; the others are reported as unattributed."""
    for orphan in lineage.adopt_orphans():
        _unattributed(orphan.ended)


def _guarded(handler: Handler) -> Handler:
    @functools.wraps(handler)
    def handle(source: Any, event: Any) -> None:
        try:
            if not is_replaying():
                handler(source, event)
        except Exception as error:  # the agent never breaks
            guard.caught(handler.__name__, error)

    return handle


@_guarded
def _scope_started(source: Any, event: Any) -> None:
    lineage.note(event)


@_guarded
def _crew_started(source: Any, event: Any) -> None:
    session = lineage.note(event)
    if session is not None:
        process = getattr(source, "process", None)
        session.tally.crew(str(source.key), source.name, getattr(process, "value", None))
        session.tally.fact("execution_id", execution_id())


@_guarded
def _flow_started(source: Any, event: Any) -> None:
    session = lineage.note(event)
    if session is not None and not is_internal(source):
        session.tally.fact("flow", event.flow_name)
        session.tally.fact("execution_id", execution_id())


@_guarded
def _task_started(source: Any, event: Any) -> None:
    session = lineage.note(event)
    if session is not None:
        session.tally.task(str(source.id), source.name)


@_guarded
def _task_completed(source: Any, event: Any) -> None:
    session = lineage.session_of(event)
    if session is not None:
        session.tally.task(str(source.id), source.name, "completed")
        _log_outcomes(session, source, event.output)


@_guarded
def _task_failed(source: Any, event: Any) -> None:
    session = lineage.session_of(event)
    if session is not None:
        session.tally.task(str(source.id), source.name, "failed")


@_guarded
def _agent_ended(source: Any, event: Any) -> None:
    session = lineage.session_of(event)
    agent = getattr(event, "agent", None) or source
    if session is not None and getattr(agent, "llm", None) is not None:
        session.ran(agent)


@_guarded
def _call_started(source: Any, event: Any) -> None:
    session = lineage.note(event)
    if session is not None:
        session.heard(event.agent_id, event.model)
        session.calls.started(event.call_id, reading.started(source, event))


@_guarded
def _call_completed(source: Any, event: Any) -> None:
    _call_ended(event, reading.completed(source, event))


@_guarded
def _call_failed(source: Any, event: Any) -> None:
    _call_ended(event, reading.failed(source, event))


def _call_ended(event: Any, ended: EndedCall) -> None:
    session = lineage.session_of(event)
    if session is not None:
        session.heard(event.agent_id, event.model)
        session.ended(event.call_id, ended)
    elif _is_direct(ended):
        assert ended.run is not None
        ended.run.record(ended.call)
    elif not is_outside() and not (
        open_sessions and lineage.add_orphan(Orphan(event.call_id, event.parent_event_id, ended))
    ):
        _unattributed(ended)


def _is_direct(ended: EndedCall) -> bool:
    """Whether it is a call of the program itself, inside a run that it has started, with a billing installed.

    Without the id of the answer it could be counted twice, where the client of the model is metered, too.
    """
    return is_installed() and not is_outside() and ended.run is not None and ended.call.response_id is not None


def _unattributed(ended: EndedCall) -> None:
    sessions = list(open_sessions)
    if ended.call.usage is None or not (sessions or is_installed()):
        return  # nothing of this process is billed that it could belong to
    for session in sessions:
        session.tally.unattributed(1)
    if add_unattributed(ended.call):
        _log.warning(
            "A call of model %s came from outside of every crew's context and is not billed; "
            "see keito_crewai.unattributed(). A tool that starts threads must copy the context into them",
            ended.call.model,
        )


def _log_outcomes(session: Session, task: Any, output: Any) -> None:
    # A crew of its own inside a flow has its own outcomes.
    binding = current_binding() or session.binding
    wanted = binding.task_outcomes.get(task.name) if task.name else None
    if wanted is None:
        return
    found = wanted(output) if callable(wanted) else wanted
    for outcome in _several(found):
        session.run.log_outcome(outcome)


def _several(found: Any) -> Iterable[Outcome]:
    return () if found is None else (found,) if isinstance(found, Outcome) else found


_KINDS: Mapping[str, Mapping[str, Handler]] = {
    "llm_events": {
        "LLMCallStartedEvent": _call_started,
        "LLMCallCompletedEvent": _call_completed,
        "LLMCallFailedEvent": _call_failed,
    },
    "crew_events": {"CrewKickoffStartedEvent": _crew_started},
    "task_events": {
        "TaskStartedEvent": _task_started,
        "TaskCompletedEvent": _task_completed,
        "TaskFailedEvent": _task_failed,
    },
    "agent_events": {
        "AgentExecutionStartedEvent": _scope_started,
        "AgentExecutionCompletedEvent": _agent_ended,
        "AgentExecutionErrorEvent": _agent_ended,
        "LiteAgentExecutionStartedEvent": _scope_started,
        "LiteAgentExecutionCompletedEvent": _agent_ended,
        "LiteAgentExecutionErrorEvent": _agent_ended,
    },
    "flow_events": {"FlowStartedEvent": _flow_started, "MethodExecutionStartedEvent": _scope_started},
    "tool_usage_events": {"ToolUsageStartedEvent": _scope_started},
}


@functools.lru_cache(maxsize=1)
def _handlers() -> Mapping[Any, Handler]:
    named = ((place, name, handler) for place, names in _KINDS.items() for name, handler in names.items())
    found: Iterable[tuple[Optional[Any], Handler]] = (
        (optional(f"events.types.{place}", name), handler) for place, name, handler in named
    )
    return {kind: handler for kind, handler in found if kind is not None}
