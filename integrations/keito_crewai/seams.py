"""Where CrewAI's executions begin and end: the methods that every entry point comes down to.

`kickoff_async`, the three `kickoff_for_each`, streams, checkpoints and Flow.kickoff all end up in one of these, often
on a copy of the crew and in another thread. So these are wrapped in CrewAI's classes, once, and look into the context
for who is billed. Without anybody they do nothing.
"""

# What makes a subject gets the arguments of the method, whether it needs them or not.
# ruff: noqa: ARG001

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Optional

from keito.metering.dialects.reading import is_mapping
from keito_crewai.binding import Binding, bound, current_binding
from keito_crewai.embeddings import watch_memories
from keito_crewai.execution import Execution, Subject
from keito_crewai.framework import is_internal, module
from keito_crewai.session import outside
from keito_crewai.streams import carried

_lock = threading.Lock()
_UNNAMED = "crew"
"""CrewAI's name of crews that were given none."""


def place_seams() -> None:
    """Wrap the methods, unless they are."""
    crew, flow, agent = module("crew").Crew, module("flow.flow").Flow, module("agent.core").Agent
    with _lock:
        _wrap(crew, "kickoff", _seam(_crew))
        _wrap(crew, "replay", _seam(_replay))
        for name in ("train", "test"):
            _wrap(crew, name, _training_seam)
        _wrap(crew, "akickoff", _async_seam(_crew))
        for name in ("kickoff_async", "resume_async"):
            _wrap(flow, name, _async_seam(_flow))
        _wrap(agent, "kickoff", _seam(_agent))
        _wrap(agent, "kickoff_async", _async_seam(_agent))
        watch_memories()


def _wrap(owner: Any, name: str, seam: Callable[[Any], Any]) -> None:
    method = getattr(owner, name, None)
    if method is not None and not getattr(method, "_keito_seam", False):
        wrapped: Any = functools.wraps(method)(seam(method))
        wrapped._keito_seam = True
        setattr(owner, name, wrapped)


SubjectOf = Callable[[Any, tuple[Any, ...], Mapping[str, Any]], Subject]


def _seam(subject_of: SubjectOf) -> Callable[[Any], Any]:
    def seam(method: Callable[..., Any]) -> Callable[..., Any]:
        def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
            binding = current_binding()
            if _is_only_a_beginning(self) or (subject_of is _agent and _is_in_loop()):
                return _begun(method(self, *args, **kwargs), binding)
            if binding is None:
                with outside():
                    return method(self, *args, **kwargs)
            with Execution(binding, subject_of(self, args, kwargs)) as execution:
                return execution.keep(method(self, *args, **kwargs))

        return execute

    return seam


def _async_seam(subject_of: SubjectOf) -> Callable[[Any], Any]:
    def seam(method: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
            binding = current_binding()
            if _is_only_a_beginning(self):
                return _begun(await method(self, *args, **kwargs), binding)
            if binding is None:
                with outside():
                    return await method(self, *args, **kwargs)
            async with Execution(binding, subject_of(self, args, kwargs)) as execution:
                return execution.keep(await method(self, *args, **kwargs))

        return execute

    return seam


def _training_seam(method: Callable[..., Any]) -> Callable[..., Any]:
    def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        binding = current_binding()
        if binding is None or not binding.training:
            with bound(None), outside():
                return method(self, *args, **kwargs)
        with Execution(binding, Subject(self, f"{_name(self)}: {method.__name__}", {})):
            return method(self, *args, **kwargs)

    return execute


def _begun(result: Any, binding: Optional[Binding]) -> Any:
    return result if binding is None else carried(result, binding)


def _is_only_a_beginning(thing: Any) -> bool:
    """Streams come back here for their work, in a thread or task of their own; and CrewAI uses flows inside."""
    return bool(getattr(thing, "stream", False)) or (hasattr(thing, "resume_async") and is_internal(thing))


def _is_in_loop() -> bool:
    """Whether `Agent.kickoff` hands out its coroutine instead of working."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _crew(crew: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Subject:
    return Subject(crew, _name(crew), _inputs(args[0] if args else kwargs.get("inputs")))


def _replay(crew: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Subject:
    return Subject(crew, _name(crew), _inputs(args[1] if len(args) > 1 else kwargs.get("inputs")))


def _flow(flow: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Subject:
    inputs = args[0] if args else kwargs.get("inputs")  # of `resume_async` it is the answer of a person, a text
    return Subject(flow, getattr(flow, "name", None) or type(flow).__name__, _inputs(inputs))


def _agent(agent: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Subject:
    return Subject(agent, str(agent.role), {})


def _name(crew: Any) -> str:
    name = getattr(crew, "name", None)
    return str(name) if name and name != _UNNAMED else "Crew"


def _inputs(inputs: Any) -> Mapping[str, Any]:
    return {str(name): value for name, value in inputs.items()} if is_mapping(inputs) else {}
