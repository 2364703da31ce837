"""Model calls that a framework's integration reports, as seen by the metered clients below the framework."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Optional

from typing_extensions import Self


class FrameworkCall:
    """One model call of a framework, while it lasts.

    A metered client that is called meanwhile tells it the id of the answer, so that both report the same one and the
    call counts once. Frameworks themselves often lose that id, LangChain for every stream of a chat.

    Attributes:
        response_id: The provider's id of the answer, as soon as a client below has seen it.
        outer: The call of another framework around this one, such as of CrewAI around LangChain.
    """

    __slots__ = ("_is_open", "outer", "response_id")

    def __init__(self) -> None:
        self.response_id: Optional[str] = None
        self.outer: Optional[FrameworkCall] = None
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """Whether the code that asks is a part of the call."""
        return self._is_open

    @property
    def is_over(self) -> bool:
        """Whether it will never be open again."""
        return not self._is_open

    @classmethod
    def enter(cls) -> Self:
        """Begin a call, in this context and those that are copied from it."""
        call = cls()
        call.outer = _call.get()
        while call.outer is not None and call.outer.is_over:
            call.outer = call.outer.outer
        _call.set(call)
        return call

    def leave(self, response_id: Optional[str] = None) -> None:
        """End it. The context may be another one by now, so the variable keeps it, and it is ignored.

        Args:
            response_id: The id of the answer, as far as it is known. A framework around this one is told.
        """
        self._is_open = False
        if self.outer is not None and self.outer.is_open:
            self.outer.reported(response_id)

    def reported(self, response_id: Optional[str]) -> None:
        """A framework inside of this call has reported it; a metered client sets `response_id` instead."""
        self.response_id = self.response_id or response_id

    @classmethod
    def current(cls) -> Optional[FrameworkCall]:
        """The open call of a framework around this code, or `None`."""
        call = _call.get()
        while call is not None and not call.is_open:
            call = call.outer
        return call


_call: ContextVar[Optional[FrameworkCall]] = ContextVar("keito_framework_call", default=None)
