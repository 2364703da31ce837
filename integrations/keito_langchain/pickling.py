"""Handlers that are sent to other processes."""

from __future__ import annotations

import os
from typing import Any, Optional
from weakref import WeakValueDictionary

_handlers: WeakValueDictionary[str, Any] = WeakValueDictionary()


def remember(handler: Any) -> str:
    """A name by which copies of the handler that come back from another process find it again."""
    name = os.urandom(16).hex()
    _handlers[name] = handler
    return name


def restore(kind: type, name: str, fields: Optional[dict[str, Any]]) -> Any:
    """The handler of that name, or in another process one that is made of the same policy fields.

    Raises:
        pickle.UnpicklingError: It bills through an `AgentBilling` that this process does not have. Another one could
            be another account.
    """
    found = _handlers.get(name)
    if found is not None:
        return found
    if fields is None:
        import pickle  # noqa: PLC0415 - loaded by whoever restores

        raise pickle.UnpicklingError(
            f"this {kind.__name__} bills through an AgentBilling of another process; make one here, or make handlers "
            "of policy fields, which may be sent to other processes"
        )
    return kind(**fields)
