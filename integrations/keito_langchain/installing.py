"""Billing of every run of the process, without a handler in each config."""

from __future__ import annotations

import functools
import os
import threading
from typing import TYPE_CHECKING, Any, Optional, cast

from keito_langchain.handler import KeitoCallbackHandler

if TYPE_CHECKING:
    from contextvars import ContextVar

    from typing_extensions import Unpack

    from keito.billing import AgentBilling
    from keito.billing.policy import PolicyFields

VARIABLE = "KEITO_LANGCHAIN"
_OFF = {"", "0", "false", "no", "off"}


class _Switch:
    """The handler of the process, read by LangChain as if it were a `ContextVar`.

    A real one would be unset in threads that the program starts. LangChain asks it whenever anything runs.
    """

    def __init__(self) -> None:
        self.handler: Optional[KeitoCallbackHandler] = None
        self._tried: Optional[str] = None
        self._making: Optional[str] = None
        self._lock = threading.RLock()

    def forked(self) -> None:
        """A thread that was making the handler is not here, but what it was importing is locked for ever."""
        self._lock = threading.RLock()
        if self._making is not None:
            self._tried, self._making = self._making, None
            _not_billed("the process was forked before there was a handler")

    def get(self) -> Optional[KeitoCallbackHandler]:
        return self.handler or self._of_environment()

    def _of_environment(self) -> Optional[KeitoCallbackHandler]:
        value = os.environ.get(VARIABLE)
        if value is None or value == self._tried or value.strip().lower() in _OFF:
            return None
        with self._lock:  # runs that start meanwhile in other threads wait for the handler: they are to be billed, too
            if self.handler is None and self._tried != value:
                self._making = value
                self._try()
                self._tried, self._making = value, None
        return self.handler

    def _try(self) -> None:
        try:
            self.handler = KeitoCallbackHandler()
        except Exception as error:  # the agent never breaks
            _not_billed(error)


def _not_billed(why: object) -> None:
    import logging  # noqa: PLC0415

    logging.getLogger("keito.billing").error("%s is set, but nothing is billed: %s", VARIABLE, why)


_switch = _Switch()

if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_switch.forked)


@functools.cache  # LangChain keeps every hook for ever
def _listen() -> None:
    # Imported here: it brings langsmith along, which takes longer than all the rest until something runs.
    from langchain_core.tracers.context import register_configure_hook  # noqa: PLC0415

    # With the class, LangChain leaves the switch alone where a handler is given explicitly: no run has two bills.
    asked = cast("ContextVar[Optional[Any]]", _switch)
    register_configure_hook(asked, inheritable=True, handle_class=KeitoCallbackHandler)


if VARIABLE in os.environ:
    _listen()


def install(billing: Optional[AgentBilling] = None, **policy_fields: Unpack[PolicyFields]) -> KeitoCallbackHandler:
    """Bill every LangChain and LangGraph run of this process from now on, in all threads and tasks.

        keito_langchain.install()
        agent.invoke(question)

    A run that is given a `KeitoCallbackHandler` explicitly is billed by that one. Setting `KEITO_LANGCHAIN=1` does the
    same as a call without arguments, where it is set before `keito_langchain` is imported.

    Args:
        billing: Bills the runs; by default one that the environment and `policy_fields` describe.
        **policy_fields: Fields of `BillingPolicy`.

    Returns:
        The handler. A second call replaces it.

    Raises:
        ValueError: The policy is incomplete or wrong; the message says what to set.
        KeitoAuthError: There are no credentials.
    """
    handler = KeitoCallbackHandler(billing, **policy_fields)
    _listen()
    _switch.handler = handler
    return handler


def uninstall() -> None:
    """Bill only runs that start with a handler. Runs that are going on are billed to their end."""
    _switch.handler = None
    _switch._tried = os.environ.get(VARIABLE)  # pyright: ignore[reportPrivateUsage]
