"""Model calls that one integration reports, as seen by what is metered below it."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Optional

from typing_extensions import Self

if TYPE_CHECKING:
    from keito.metering.run import AgentRun


class FrameworkCall:
    """One model call of a framework, while it lasts.

    A metered client that is called meanwhile tells it the id of the answer, so that both report the same one and the
    call counts once. Frameworks themselves often lose that id, LangChain for every stream of a chat.

    Attributes:
        response_id: The provider's id of the answer, as soon as a client below has seen it.
        outer: The call of another framework around this one, such as of CrewAI around LangChain.
        run: What it is recorded into, if that may be another run than the current one: LangChain begins all runs of a
            `batch` in one context.
    """

    __slots__ = ("_batch", "_entered", "_is_open", "outer", "response_id", "run")

    _batch: list[FrameworkCall]
    _entered: Optional[Token[Optional[FrameworkCall]]]

    def __init__(self) -> None:
        self.response_id: Optional[str] = None
        self.outer: Optional[FrameworkCall] = None
        self.run: Optional[AgentRun] = None
        self._is_open = True

    @property
    def sees_embeddings(self) -> bool:
        """Whether embeddings are reported here, too. Callback handlers of frameworks are not told of them."""
        return False

    @property
    def is_open(self) -> bool:
        """Whether the code that asks is a part of the call."""
        return self._is_open

    @property
    def is_of_several_runs(self) -> bool:
        """Whether calls of other runs began together with it. An answer may be for any of them."""
        batch: list[FrameworkCall] = getattr(self, "_batch", None) or []
        return len({call.run.root.uid for call in batch if call.run is not None}) > 1

    @property
    def is_over(self) -> bool:
        """Whether it will never be open again."""
        return not self._is_open

    @classmethod
    def enter(cls, batch_size: int = 1) -> Self:
        """Begin a call, in this context and those that are copied from it.

        Args:
            batch_size: How many calls begin together, one after the other in one context. They are side by side, and
                not inside each other; only the last of them is current.
        """
        call = cls()
        outer = _call.get()
        while outer is not None and outer.is_over:
            outer = outer.outer
        call.outer = outer
        if batch_size > 1:
            call._join(batch_size)
        call._entered = _call.set(call)
        return call

    @property
    def is_here(self) -> bool:
        """Whether this is the context in which it began, and not a copy of that: only there its token is taken."""
        now = _call.get()
        try:
            if self._entered is None:
                return False
            _call.reset(self._entered)
        except ValueError:
            return False
        self._entered = _call.set(self)  # a token is taken once
        if now is not self:
            _call.set(now)
        return True

    def leave(self, response_id: Optional[str] = None) -> None:
        """End it. The context may be another one by now, so the variable keeps it, and it is ignored.

        Args:
            response_id: The id of the answer, as far as it is known. A framework around this one is told.
        """
        self._is_open = False
        self.run = None
        self._entered = None  # a token keeps what was there before it
        if self.outer is not None and self.outer.is_open:
            self.outer.reported(response_id)

    def tell(self, response_id: str) -> None:
        """A metered client below has seen the id of an answer. Of calls that began together, each gets its own."""
        calls = getattr(self, "_batch", None) or [self]
        if all(call.response_id != response_id for call in calls):
            waiting = next((call for call in calls if call.response_id is None), None)
            if waiting is not None:
                waiting.response_id = response_id

    def _join(self, batch_size: int) -> None:
        before = self.outer
        batch: list[FrameworkCall] = getattr(before, "_batch", None) or []
        if before is not None and 0 < len(batch) < batch_size:
            self.outer = before.outer
        else:
            batch = []
        batch.append(self)
        self._batch = batch

    def reported(self, response_id: Optional[str]) -> None:
        """A framework inside of this call has reported it; a metered client sets `response_id` instead."""
        self.response_id = self.response_id or response_id

    @classmethod
    def current(cls, account: object = None) -> Optional[FrameworkCall]:
        """The open call of a framework around this code, or `None`.

        Args:
            account: Pass over calls that are billed to another account, which has a bill of its own.
        """
        call = _call.get()
        while call is not None and not (call.is_open and call._is_for(account)):
            call = call.outer
        return call

    def _is_for(self, account: object) -> bool:
        owner = None if account is None or self.run is None else self.run.owner
        return owner is None or getattr(owner, "account", account) == account


_call: ContextVar[Optional[FrameworkCall]] = ContextVar("keito_framework_call", default=None)
