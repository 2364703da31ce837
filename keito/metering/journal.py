"""What happens in a run, as lines of text for the journal of open runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Optional, Union

from keito.metering.by_hand import OtherUsage
from keito.metering.call import LLMCall, NoUsage
from keito.metering.codec import Codec, NotPlainError
from keito.metering.outcome import Outcome
from keito.metering.run import AgentRun
from keito.metering.status import RunStatus
from keito.metering.usage import Usage

_log = logging.getLogger("keito.billing")

_PLAIN = (str, int, float, bool, Decimal, date, datetime)
"""What attributes of runs may be; nothing else stands in notes."""


@dataclass(frozen=True)
class About:
    """What is known of a run beside its events. Each one takes the place of the one before.

    Attributes:
        uid: Which run.
        started_at: When it began.
        name: What ran.
        agent_id: Which agent.
        framework: What the agent is built with.
        session_id: The conversation.
        trigger: What started it.
        parent_id: The run that it was started in.
        notes: The text of the time entry.
        confidence: The agent's own estimate.
        human_reviewed: Whether a person has looked at it.
        trace_id: The trace that shows it.
        is_supplement: Whether it collects what came after the end of the run `parent_id`.
        attributes: What the program knows of it, as far as it is plain.
        details: What an integration knows of it, likewise.
        away: Its time that is billed elsewhere; see `AgentRun.away_ns`.
        left_at: Since when, after its start in nanoseconds, all its time is billed elsewhere.
        flags: What its records are to say.
    """

    uid: str
    started_at: datetime
    name: Optional[str] = None
    agent_id: Optional[str] = None
    framework: Optional[str] = None
    session_id: Optional[str] = None
    trigger: Optional[str] = None
    parent_id: Optional[str] = None
    notes: Optional[str] = None
    confidence: Optional[Decimal] = None
    human_reviewed: Optional[bool] = None
    trace_id: Optional[str] = None
    is_supplement: bool = False
    attributes: Optional[Mapping[str, Any]] = None
    details: Optional[Mapping[str, Any]] = None
    away: Optional[Mapping[int, int]] = None
    left_at: Optional[int] = None
    flags: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: AgentRun, flags: Iterable[str] = ()) -> About:
        """What is known of a run now."""
        attributes = {str(name): value for name, value in run.attributes.items() if type(value) in _PLAIN}
        return cls(
            run.uid,
            run.started_at,
            name=_text(run.name),
            agent_id=_text(run.agent_id),
            framework=_text(run.framework),
            session_id=_text(run.session_id),
            trigger=_text(run.trigger),
            parent_id=run.parent_id,
            notes=_text(run.notes),
            confidence=run.confidence,
            human_reviewed=run.human_reviewed,
            trace_id=run.trace_id,
            is_supplement=run.supplement_to is not None,
            attributes=attributes or None,
            details=_plain(run.details),
            away=dict(run.away_ns) or None,
            left_at=run.left_at_ns,
            flags=tuple(sorted(flags)),
        )


RunEvent = Union[About, LLMCall, OtherUsage, Outcome]

_CODEC = Codec(About, LLMCall, Usage, NoUsage, OtherUsage, Outcome)


def event_text(event: RunEvent) -> str:
    """The event on one line, without what no text can carry: the usage of a call, or what is known of a run beside."""
    try:
        return _CODEC.write(event)
    except (NotPlainError, ValueError, RecursionError):  # such as an integer of 5,000 digits
        if isinstance(event, About):
            return _CODEC.write(replace(event, attributes=None, details=None))
        if not isinstance(event, LLMCall):
            raise
        _log.exception("A call of %s goes into the journal without its usage", event.model)
        return _CODEC.write(_repaired(event))


def event_of(text: str) -> RunEvent:
    """The event on a line.

    Raises:
        ValueError: There is none.
        TypeError: A newer keito has written it.
    """
    event: RunEvent = _CODEC.read(text)
    return event


def run_of(about: About, events: Iterable[RunEvent], run: AgentRun, elapsed_ns: int) -> None:
    """Let `run`, which is new, be what it was when its process ended: abandoned."""
    run.parent_id, run.trace_id, run.notes = about.parent_id, about.trace_id, about.notes
    run.details.update(about.details or {})
    run.confidence, run.human_reviewed = about.confidence, about.human_reviewed
    for event in events:
        if isinstance(event, LLMCall):
            run.record(event)
        elif isinstance(event, OtherUsage):
            run.record_usage(event.name, event.quantity, unit=event.unit, cost=event.cost)
        elif isinstance(event, Outcome):
            run.log_outcome(event)
    run.was_away(about.away or {}, about.left_at)
    run.end(RunStatus.ABANDONED, elapsed_ns=elapsed_ns)


def _repaired(call: LLMCall) -> LLMCall:
    texts = ("provider", "requested_model", "served_model", "tier", "error", "response_id", "operation")
    known: dict[str, Any] = {name: _text(getattr(call, name)) for name in texts}
    cost = call.reported_cost if type(call.reported_cost) is Decimal else None
    return replace(call, **known, usage=None, no_usage=NoUsage.NOT_REPORTED, reported_cost=cost)


def _plain(details: dict[str, Any]) -> Optional[Mapping[str, Any]]:
    try:
        copied: dict[str, Any] = json.loads(json.dumps(details))
    except (TypeError, ValueError, RecursionError, RuntimeError):  # the last one: somebody is writing to it
        return None
    return copied or None


def _text(value: Optional[object]) -> Optional[str]:
    return None if value is None else str(value)
