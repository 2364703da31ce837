"""Model calls that a framework's integration reports, as seen by the metered clients below the framework."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Optional


class FrameworkCall:
    """One model call of a framework, while it lasts.

    A metered client that is called meanwhile tells it the id of the answer, so that both report the same one and the
    call counts once. Frameworks themselves often lose that id, LangChain for every stream of a chat.

    Attributes:
        response_id: The provider's id of the answer, as soon as a client below has seen it.
    """

    __slots__ = ("_is_open", "response_id")

    def __init__(self) -> None:
        self.response_id: Optional[str] = None
        self._is_open = True

    @classmethod
    def enter(cls) -> FrameworkCall:
        """Begin a call, in this context and those that are copied from it."""
        call = cls()
        _call.set(call)
        return call

    def leave(self) -> None:
        """End it. The context may be another one by now, so the variable keeps it, and it is ignored."""
        self._is_open = False

    @classmethod
    def current(cls) -> Optional[FrameworkCall]:
        """The open call of a framework around this code, or `None`."""
        call = _call.get()
        return call if call is not None and call._is_open else None


_call: ContextVar[Optional[FrameworkCall]] = ContextVar("keito_framework_call", default=None)
