"""Model calls of an execution, as seen by metered clients and other frameworks below CrewAI."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Optional

from keito.metering.framework_call import FrameworkCall
from keito_crewai.framework import call_id, is_in_function

_KEPT = 4096
"""Calls whose reports from below are remembered until CrewAI reports them, too."""


class CallsBelow(FrameworkCall):
    """Stands for whichever model call of the execution the code is a part of.

    CrewAI's handlers run in other threads, so nothing can be set in the context of a call when it starts. But CrewAI
    keeps the id of the call there, by which this is told apart.
    """

    __slots__ = ("_ended", "_lock", "_reports")

    def __init__(self) -> None:
        self._ended = False
        self._lock = threading.Lock()
        self._reports: OrderedDict[str, set[str]] = OrderedDict()
        self.outer = self.run = self._entered = None

    @property
    def is_open(self) -> bool:
        """Whether the code is a part of a model call."""
        return not self._ended and call_id() is not None and not is_in_function()

    @property
    def is_over(self) -> bool:
        """Whether the execution has ended."""
        return self._ended

    @property
    def response_id(self) -> Optional[str]:
        """Always `None`: one call of CrewAI may be several of the client's, each with an id of its own."""
        return None

    @response_id.setter
    def response_id(self, value: Optional[str]) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        if value is not None:
            self.reported(value)

    def reported(self, response_id: Optional[str]) -> None:
        """The call that the code is a part of was recorded below."""
        call = call_id()
        if call is None:
            return
        with self._lock:
            ids = self._reports.setdefault(call, set())
            if response_id is not None:
                ids.add(response_id)
            while len(self._reports) > _KEPT:
                self._reports.popitem(last=False)

    def leave(self, response_id: Optional[str] = None) -> None:  # noqa: ARG002 - it has many
        """End the execution."""
        self._ended = True
        self._entered = None

    def ids_of(self, call: str) -> Optional[frozenset[str]]:
        """The ids of the answers that were recorded below for a call; `None` if nothing was."""
        with self._lock:
            ids = self._reports.get(call)
            return None if ids is None else frozenset(ids)
