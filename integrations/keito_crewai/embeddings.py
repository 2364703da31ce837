"""Embeddings of memories, which CrewAI emits no events for."""

from __future__ import annotations

from typing import Any

from keito.metering import meter
from keito_crewai.framework import optional
from keito_crewai.session import current_session


def watch_memories() -> None:
    """Where the exact mode is asked for, meter the client of a memory whenever the memory takes it up.

    CrewAI replaces the memory of a crew while the crew starts, so there is no earlier moment at which it is known.
    """
    memory = optional("memory.unified_memory", "Memory")
    if memory is None:
        return
    members: dict[str, Any] = memory.__dict__
    found = members.get("_embedder")
    if isinstance(found, property) and not getattr(found.fget, "_keito_seam", False):
        memory._embedder = property(_watched(found.fget))


def _watched(get: Any) -> Any:
    def embedder(memory: Any) -> Any:
        found = get(memory)
        session = current_session()
        if session is not None and session.is_exact:
            meter_embedder(found)
        return found

    embedder._keito_seam = True  # type: ignore[attr-defined]
    return embedder


def meter_embedder(embedder: Any) -> None:
    """Meter the client of an embedder, if it is OpenAI's; others are left alone."""
    client = getattr(embedder, "client", None)
    try:
        if client is not None:
            meter(client)
    except TypeError:
        return
