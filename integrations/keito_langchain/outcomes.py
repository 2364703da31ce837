"""Outcomes that are dispatched as LangChain's custom events."""

from __future__ import annotations

import logging
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
        return Outcome(data) if isinstance(data, str) else Outcome(**data)
    except (TypeError, ValueError) as error:
        _log.error("A custom event %s holds no outcome, and nothing is billed for it: %s", EVENT, error)
        return None
