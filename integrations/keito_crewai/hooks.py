"""What happens right before a model call, in the thread of the call."""

from __future__ import annotations

import logging
from itertools import repeat
from typing import Any, Optional

from keito.billing.guard import is_stop
from keito.metering import current_run, meter
from keito_crewai.binding import Binding
from keito_crewai.framework import module, optional
from keito_crewai.session import Session, current_session

_log = logging.getLogger("keito.billing")
_unmetered: set[str] = set()

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
        if session.is_exact:
            meter_clients(getattr(context, "llm", None))
        (current_run() or session.run).check_budget()
    except Exception as error:
        if is_stop(error):
            return _block(session, error)
        session.binding.billing.guard.caught("before_call", error)
    return None


def meter_clients(llm: Any) -> None:
    """Meter the clients of one of CrewAI's own models for OpenAI or Anthropic; of others, say that there are none."""
    clients = [client for client in map(_client, repeat(llm), _CLIENTS, _MAKERS) if client is not None]
    try:
        for client in clients:
            meter(client)
    except TypeError:  # of another provider
        clients = []
    kind = type(llm).__name__
    if not clients and kind not in _unmetered:
        _unmetered.add(kind)
        _log.warning("exact=True knows no client of a %s: its calls are metered by CrewAI's events alone", kind)


def _client(llm: Any, name: str, maker: str) -> Any:
    client, make = getattr(llm, name, None), getattr(llm, maker, None)
    return make() if client is None and callable(make) else client


def _block(session: Session, error: Exception) -> bool:
    session.stop = session.stop or error
    aborted = optional("hooks", "HookAborted")
    if aborted is None:
        return False  # the call is blocked, and the agent tries again, as often as its `max_retry_limit` says
    raise aborted(str(error), source="keito") from error
