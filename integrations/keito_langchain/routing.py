"""What the metadata of a config says of the run that it starts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Optional

_log = logging.getLogger("keito.billing")

_FIELDS = {
    "keito_project_id": "project_id",
    "keito_task_id": "task_id",
    "keito_session_id": "session_id",
    "keito_trigger": "trigger",
}
"""Keys of the metadata, and the fields of `AgentBilling.start` that they set."""


def fields_of(metadata: Optional[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields of a run that the metadata of its config names. LangGraph's thread is a session, too."""
    if not metadata:
        return {}
    found = {field: text for key, field in _FIELDS.items() if (text := _text(key, metadata)) is not None}
    if "session_id" not in found and (thread := metadata.get("thread_id")) is not None:
        found["session_id"] = str(thread)
    return found


def agent_of(metadata: Optional[Mapping[str, Any]]) -> Optional[str]:
    """The agent that the metadata names."""
    return _text("keito_agent_id", metadata) if metadata else None


def _text(key: str, metadata: Mapping[str, Any]) -> Optional[str]:
    value = metadata.get(key)
    if value is None:
        return None
    text = str(value).strip()  # no id has blanks around it, and a file or an environment easily does
    if text:
        return text
    # An empty variable of the program: the work is billed to the policy's place rather than not at all.
    _log.error("config metadata %s is empty and is ignored: the run is billed as if it were not there", key)
    return None
