"""Model calls of which nobody knows what run they belong to."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Optional

from keito.metering import LLMCall, Usage

_MOST_ROWS = 256


@dataclass(frozen=True)
class UnattributedUsage:
    """Calls of one model that were not billed, since they came from outside of every known context.

    A tool that calls a model in a thread of its own, started without a copy of the context, is the usual reason.

    Attributes:
        provider: Who served them.
        model: The model.
        calls: How many.
        usage: Their tokens.
    """

    provider: Optional[str]
    model: Optional[str]
    calls: int
    usage: Usage


_rows: dict[tuple[Optional[str], Optional[str]], UnattributedUsage] = {}
_lock = threading.Lock()


def unattributed() -> list[UnattributedUsage]:
    """What was not billed since it could not be attributed to any run, in this process so far."""
    with _lock:
        return list(_rows.values())


def add_unattributed(call: LLMCall) -> bool:
    """Count such a call; answers whether it is the first one."""
    key = (call.provider, call.requested_model)
    with _lock:
        is_first = not _rows
        if key not in _rows and len(_rows) >= _MOST_ROWS:
            key = (None, "(others)")
        row = _rows.get(key, UnattributedUsage(*key, calls=0, usage=Usage()))
        _rows[key] = replace(row, calls=row.calls + 1, usage=row.usage + (call.usage or Usage()))
    return is_first
