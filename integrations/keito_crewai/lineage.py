"""Which session an event belongs to: by its context, else by the events around it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Optional
from weakref import ref

from keito_crewai.calls import EndedCall
from keito_crewai.session import Session, current_session

_KEPT = 4096
_MOST_STEPS = 64


@dataclass(frozen=True)
class Orphan:
    """An ended call whose session is not known yet.

    Attributes:
        call_id: Its id.
        parent_id: The event around it.
        ended: What is known of it.
    """

    call_id: str
    parent_id: Optional[str]
    ended: EndedCall


class Lineage:
    """Remembers the start events, and what they belong to. Bounded; the oldest are forgotten.

    It keeps no session alive, since that knows the agents, and with them the crew, their models and tools.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: OrderedDict[str, tuple[Optional[ref[Session]], Optional[str]]] = OrderedDict()
        self._orphans: list[Orphan] = []

    def note(self, event: Any) -> Optional[Session]:
        """Remember a start event; answers its session."""
        session = self.session_of(event)
        with self._lock:
            self._events[event.event_id] = (None if session is None else ref(session), event.parent_event_id)
            while len(self._events) > _KEPT:
                self._events.popitem(last=False)
        return session

    def session_of(self, event: Any) -> Optional[Session]:
        """The session of an event. Handlers run in copies of the context in which it was emitted."""
        return current_session() or self._find(event.parent_event_id)

    def add_orphan(self, orphan: Orphan) -> bool:
        """Keep a call until the events around it are known, which may come later; answers whether there is room."""
        with self._lock:
            has_room = orphan.parent_id is not None and len(self._orphans) < _KEPT
            if has_room:
                self._orphans.append(orphan)
            return has_room

    def adopt_orphans(self) -> list[Orphan]:
        """Give the calls that wait to their sessions; answers those that belong to none."""
        with self._lock:
            waiting, self._orphans = self._orphans, []
        found = [(orphan, self._find(orphan.parent_id)) for orphan in waiting]
        for orphan, session in found:
            if session is not None:
                session.ended(orphan.call_id, orphan.ended)
        return [orphan for orphan, session in found if session is None]

    def _find(self, event_id: Optional[str]) -> Optional[Session]:
        with self._lock:
            for _ in range(_MOST_STEPS):
                known = None if event_id is None else self._events.get(event_id)
                if known is None:
                    return None
                of_session, event_id = known
                if of_session is not None:
                    session = of_session()
                    # CrewAI leaves the events of an interrupted kickoff in the context for whatever comes next.
                    return session if session is not None and session.is_open else None
        return None


lineage = Lineage()
