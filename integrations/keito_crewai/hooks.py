"""What happens right before a model call, in the thread of the call."""

from __future__ import annotations

from typing import Any, Optional

from keito.billing.guard import is_stop
from keito.metering import meter
from keito_crewai.binding import Binding
from keito_crewai.framework import module, optional
from keito_crewai.session import Session, current_session

_CLIENTS = ("_client", "_async_client")
_MAKERS = ("_get_sync_client", "_get_async_client")
"""Where CrewAI's own models keep the clients of OpenAI and Anthropic, which newer versions make when they are used."""


def register(binding: Binding) -> None:
    """Be asked before model calls, where there is something to do. Programs may have cleared all hooks meanwhile."""
    if not (binding.exact or binding.billing.may_stop):
        return
    hooks = module("hooks")
    if before_call not in hooks.get_before_llm_call_hooks():
        hooks.register_before_llm_call_hook(before_call)


def unregister() -> None:
    """Be asked no longer."""
    hooks = module("hooks")
    if before_call in hooks.get_before_llm_call_hooks():
        hooks.unregister_before_llm_call_hook(before_call)


def before_call(context: Any) -> Optional[bool]:
    """Meter the clients of the model where that is wanted, and block the call where a budget forbids it."""
    session = current_session()
    if session is None:
        return None
    try:
        if session.binding.exact:
            meter_clients(getattr(context, "llm", None))
        session.run.check_budget()
    except Exception as error:
        if is_stop(error):
            return _block(session, error)
        session.binding.billing.guard.caught("before_call", error)
    return None


def meter_clients(llm: Any) -> None:
    """Meter the clients of one of CrewAI's own models for OpenAI or Anthropic; other models are left alone."""
    for name, maker in zip(_CLIENTS, _MAKERS):
        client = getattr(llm, name, None)
        if client is None and callable(getattr(llm, maker, None)):
            client = getattr(llm, maker)()
        try:
            if client is not None:
                meter(client)
        except TypeError:  # of another provider
            return


def _block(session: Session, error: Exception) -> bool:
    session.stop = session.stop or error
    aborted = optional("hooks", "HookAborted")
    if aborted is None:
        return False  # the call is blocked, and the agent tries again, as often as its `max_retry_limit` says
    raise aborted(str(error), source="keito") from error
