"""CrewAI itself. Importing it takes seconds, so that happens here, when something is billed."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from importlib import import_module, metadata
from typing import Any, Optional

_log = logging.getLogger("keito.billing")

FLOOR = (1, 13)
"""The first version whose events carry the tokens of a call."""


@lru_cache(maxsize=1)
def version() -> str:
    """The installed version of CrewAI.

    Raises:
        ImportError: There is none, or it is too old to tell what its model calls took.
    """
    try:
        found = metadata.version("crewai")
    except metadata.PackageNotFoundError as error:
        raise ImportError('keito_crewai needs crewai: pip install "keito[crewai]"') from error
    if tuple(map(int, re.findall(r"\d+", found)[:2])) < FLOOR:
        least = ".".join(map(str, FLOOR))
        raise ImportError(
            f"keito_crewai needs crewai {least} or newer, whose events tell the tokens of a call; this is {found}: "
            'pip install -U "keito[crewai]"'
        )
    return found


def module(name: str) -> Any:
    """A module of CrewAI, such as `events.event_bus`."""
    version()
    return import_module(f"crewai.{name}")


def optional(name: str, attribute: str) -> Optional[Any]:
    """What newer versions have in a module; `None` where this one does not."""
    try:
        return getattr(module(name), attribute, None)
    except ModuleNotFoundError:
        return None


@lru_cache(maxsize=1)
def bus() -> Any:
    """The event bus, of which there is one."""
    return module("events.event_bus").crewai_event_bus


@lru_cache(maxsize=1)
def _call_id_variable() -> Any:
    found = optional("llms.base_llm", "_current_call_id")
    if found is None:
        _log.error(
            "CrewAI %s does not tell keito which model call its code is a part of: do not meter the clients of its "
            "models, also not by exact=True, or calls may count twice. A newer keito may know this version",
            version(),
        )
    return found


def call_id() -> Optional[str]:
    """The id of the model call that this code is a part of. CrewAI's own function makes one up where there is none."""
    variable = _call_id_variable()
    found: Optional[str] = None if variable is None else variable.get()
    return found


@lru_cache(maxsize=1)
def _scopes_variable() -> Any:
    return optional("events.event_context", "_event_id_stack")


def is_in_function() -> bool:
    """Whether this code is a function of a program that CrewAI runs inside of a model call, for its answer.

    The call is still the current one then, but what the function asks of other models is not a part of it.
    """
    variable = _scopes_variable()
    scopes = () if variable is None else variable.get()
    return [kind for _, kind in scopes[-2:]] == ["llm_call_started", "tool_usage_started"]


@lru_cache(maxsize=1)
def _execution_id() -> Any:
    return optional("execution", "get_execution_uuid")


def execution_id() -> Optional[str]:
    """CrewAI's id of the outermost kickoff around this code, in versions that have one."""
    get = _execution_id()
    found: Optional[str] = None if get is None else get()
    return found


@lru_cache(maxsize=1)
def _is_replaying() -> Any:
    return optional("events.event_bus", "is_replaying")


def is_replaying() -> bool:
    """Whether events of an earlier execution are repeated, whose calls are billed already."""
    ask = _is_replaying()
    return ask is not None and bool(ask())


def is_internal(thing: object) -> bool:
    """Whether it is of a class of CrewAI's own: its agents run as flows, and so does its memory."""
    return type(thing).__module__.partition(".")[0] == "crewai"
