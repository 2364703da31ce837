"""Outcomes that are dispatched as LangChain's custom events."""

from __future__ import annotations

import logging
from enum import Enum
from typing import Any, Optional

from keito.metering import Outcome

EVENT = "keito.outcome"
"""The name of such an event; its data is an `Outcome`, its type as a text, or its arguments as a dictionary."""

_log = logging.getLogger("keito.billing")


def outcome_of(data: Any) -> Optional[Outcome]:
    """The outcome that an event holds. What is none is logged: an agent does not end over its bill."""
    if isinstance(data, Outcome):
        return data
    try:
        fields: Any = {"type": data} if isinstance(data, str) else data
        if not isinstance(fields.get("type"), (str, Enum)):  # what is none must not be invoiced by how Python shows it
            raise TypeError(f"its type is a text, such as 'ticket_resolved'; got {data!r}")
        return Outcome(**fields)
    except (TypeError, ValueError, AttributeError) as error:
        _log.error("A custom event %s holds no outcome, and nothing is billed for it: %s", EVENT, error)
        return None
