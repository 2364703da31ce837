"""Faults that are ordered beforehand and happen to matching requests."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Optional

from pydantic import Field, model_validator

from keito.sandbox.errors import error_body
from keito.sandbox.reply import Reply
from keito.sandbox.requests import Body

Action = Literal["status", "delay", "drop_before", "drop_after", "truncate", "drip"]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
HeaderValue = Annotated[str, Field(pattern=r"^[\x20-\x7e]*$")]

API_PREFIX = "/api/v2"


class Fault(Body):
    """What happens to a request.

    Attributes:
        action: `status` answers instead of the API, `delay` waits before handling, `drop_before` closes the
            connection unhandled, `drop_after` commits and then closes it, `truncate` promises the whole body and
            sends half of it, `drip` sends the body byte by byte.
        method: an HTTP method, or `*`.
        path: an exact path or one with `*`; `/api/v2` in front may be left out.
        times: how many requests it happens to; 0 or None until it is deleted.
        status: the status of a `status` fault.
        headers: further headers of a `status` fault, such as `Retry-After`.
        body: its JSON, or a text that is sent as it is, such as a proxy's HTML; without it, the documented error.
        seconds: how long `delay` waits, or how long `drip` waits after each byte.
    """

    action: Action
    method: str = "*"
    path: str = "*"
    times: Optional[int] = Field(default=1, ge=0)
    status: Optional[int] = Field(default=None, ge=200, le=599)
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    body: Any = None
    seconds: float = Field(default=1.0, ge=0, le=3600)

    @model_validator(mode="after")
    def _has_status(self) -> Fault:
        if self.action == "status" and self.status is None:
            raise ValueError("status is required for the action status")
        return self

    def matches(self, method: str, path: str) -> bool:
        """Whether the fault is meant for such a request."""
        return self.method in ("*", method) and fnmatchcase(path, self._pattern())

    def reply(self) -> Reply:
        """What a `status` fault answers."""
        status = self.status or 500
        if isinstance(self.body, str):
            return Reply.text(status, self.body, self.headers)
        return Reply.json(status, error_body(status) if self.body is None else self.body, self.headers)

    def _pattern(self) -> str:
        if self.path.startswith(("*", "/api/")):
            return self.path
        return f"{API_PREFIX}/{self.path.lstrip('/')}"


@dataclass
class _Pending:
    id: int
    fault: Fault
    left: Optional[int]


class Faults:
    """The faults that are waiting, in the order in which they were added; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[_Pending] = []
        self._ids = itertools.count(1)

    def add(self, action: Action, **details: Any) -> int:
        """Order a fault and give its id; the keywords are the attributes of `Fault`."""
        return self.order(Fault.model_validate({"action": action, **details}))

    def order(self, fault: Fault) -> int:
        """Order a fault and give its id."""
        method = fault.model_copy(update={"method": fault.method.upper()})
        with self._lock:
            pending = _Pending(next(self._ids), method, fault.times or None)
            self._pending.append(pending)
        return pending.id

    def take(self, method: str, path: str) -> Optional[Fault]:
        """The first fault for such a request, used up by one."""
        with self._lock:
            for pending in self._pending:
                if pending.fault.matches(method, path):
                    self._use(pending)
                    return pending.fault
        return None

    def _use(self, pending: _Pending) -> None:
        if pending.left is not None:
            pending.left -= 1
            if pending.left == 0:
                self._pending.remove(pending)

    def pending(self) -> list[dict[str, Any]]:
        """What is still to happen."""
        with self._lock:
            return [{"id": each.id, "left": each.left, **each.fault.model_dump()} for each in self._pending]

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._pending.clear()
