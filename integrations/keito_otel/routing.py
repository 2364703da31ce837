"""What spans and baggage say of a run: where it is billed to, and what it achieved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional

from opentelemetry import baggage

from keito.metering import Outcome

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan

_PREFIX = "keito."
_OUTCOME = "keito.outcome."
_TYPE = "keito.outcome.type"
_EVENT = "keito.outcome"
_SESSIONS = ("keito.session_id", "gen_ai.conversation.id", "session.id")
_AGENT_NAMES = ("gen_ai.agent.name", "agent.name")
_RANDOM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ROUTES = ("project_id", "task_id")
_TOLD = frozenset({*_SESSIONS, "keito.agent_id", "gen_ai.agent.id", *_AGENT_NAMES})


def from_baggage(context: Optional[Context]) -> Mapping[str, Any]:
    """What baggage says of keito and of the conversation, so that it reaches across services."""
    carried = baggage.get_all(context)
    if not carried:
        return {}
    return {name: value for name, value in carried.items() if name.startswith(_PREFIX) or name in _SESSIONS}


def route(*sources: Mapping[str, Any]) -> dict[str, str]:
    """The project and task of a run. The first source that names one counts."""
    found = {field: _first(sources, (_PREFIX + field,)) for field in _ROUTES}
    return {field: value for field, value in found.items() if value is not None}


def tells_nothing(about: Mapping[str, Any]) -> bool:
    """Whether attributes name neither a conversation nor an agent, as those of most spans: it is asked for each."""
    return about.keys().isdisjoint(_TOLD)


def session_of(*sources: Mapping[str, Any]) -> Optional[str]:
    """What joins the runs of a conversation."""
    return _first(sources, _SESSIONS)


def agent_of(*sources: Mapping[str, Any]) -> Optional[str]:
    """Which agent it is. Semantic Kernel and OpenLLMetry make up an id for each object or run: the name says more."""
    chosen = _first(sources, ("keito.agent_id",))
    known, name = _first(sources, ("gen_ai.agent.id",)), _first(sources, _AGENT_NAMES)
    return chosen or (name if known is None or (name is not None and _RANDOM.fullmatch(known)) else known)


def extras(*sources: Mapping[str, Any]) -> dict[str, Any]:
    """Everything else under `keito.`: attributes of the run, by which a policy is chosen."""
    known = {_PREFIX + field for field in (*_ROUTES, "session_id", "agent_id")}
    merged = {name: value for source in reversed(sources) for name, value in source.items()}
    return {
        name[len(_PREFIX) :]: value
        for name, value in merged.items()
        if name.startswith(_PREFIX) and name not in known and not name.startswith(_OUTCOME)
    }


def has_outcomes(span: ReadableSpan, about: Mapping[str, Any]) -> bool:
    """Whether a span reports outcomes."""
    if _TYPE in about:
        return True
    held = getattr(span, "_events", None)  # `events` copies them under a lock, and most spans have none
    return (held is None or len(held) > 0) and any(event.name == _EVENT for event in span.events)


def outcomes_in(span: ReadableSpan, about: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a span says of each outcome: one in its attributes, and one in each event `keito.outcome`."""
    if _TYPE in about:
        yield about
    for event in span.events:
        if event.name == _EVENT:
            yield event.attributes or {}


def outcome_of(about: Mapping[str, Any]) -> Outcome:
    """The outcome that attributes describe.

    Raises:
        ValueError: A value is one that no outcome has.
        TypeError: The evidence is no JSON object.
    """
    return Outcome(
        about.get(_TYPE, ""),
        about.get(f"{_OUTCOME}unit_price"),
        about.get(f"{_OUTCOME}quantity", 1),
        about.get(f"{_OUTCOME}description"),
        _read(about.get(f"{_OUTCOME}evidence")),
    )


def _read(evidence: Any) -> Any:
    try:
        return json.loads(evidence) if isinstance(evidence, str) else evidence
    except RecursionError:
        raise ValueError("keito.outcome.evidence is nested too deeply") from None


def _first(sources: tuple[Mapping[str, Any], ...], names: tuple[str, ...]) -> Optional[str]:
    """The value of the most telling name; for each, the first source that has it."""
    for name in names:
        for source in sources:
            value = source.get(name)
            if value is not None and str(value).strip():
                return str(value)
    return None
