"""What LangChain keeps in the context of the running code."""

from __future__ import annotations

import inspect
from types import FrameType
from typing import Any, Optional, Union
from uuid import UUID
from weakref import ref

_FRAMEWORKS = ("langchain_core.", "langchain.", "langgraph.")
_MODELS = "langchain_core.language_models."
_CALLBACKS = "langchain_core.callbacks."
_REPORTING = (_CALLBACKS, "keito_langchain.")


def enclosing_run_id() -> Optional[UUID]:
    """The LangChain run whose code is executing, or `None`.

    It finds the parent of a run that names none: the members of `with_fallbacks()` (langchain-core up to 1.8 hands
    them the wrong config, https://github.com/langchain-ai/langchain/issues/36072), and models that the user's code
    calls with a `config` of its own. On Python 3.10 LangChain cannot pass it on in `ainvoke`.
    """
    # Imported here: it is loaded as soon as anything runs, and costs nothing then.
    from langchain_core.runnables.config import var_child_runnable_config  # noqa: PLC0415

    config = var_child_runnable_config.get()
    callbacks = config.get("callbacks") if config else None
    return getattr(callbacks, "parent_run_id", None)


def is_in_model() -> bool:
    """Whether the code was called by a model of LangChain."""
    return _is_called_by(_MODELS)


def is_in_framework() -> bool:
    """Whether the code was called by LangChain or LangGraph."""
    return _is_called_by(_FRAMEWORKS)


def is_in_model_of_model() -> bool:
    """Whether the code is that of a model which the code of another model has called."""
    frame: Optional[FrameType] = inspect.currentframe()
    has_left, before = False, False
    while frame is not None:
        is_model = str(frame.f_globals.get("__name__")).startswith(_MODELS)
        if is_model and has_left:
            return True
        has_left, before, frame = has_left or (before and not is_model), is_model, frame.f_back
    return False


def starting_graph() -> Optional[object]:
    """The graph of LangGraph whose start is being reported, if it is one. No event tells how it was compiled."""
    frame: Optional[FrameType] = inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(_REPORTING):
        frame = frame.f_back
    is_graph = frame is not None and str(frame.f_globals.get("__name__")).startswith("langgraph.pregel")
    return frame.f_locals.get("self") if frame is not None and is_graph else None


def held(run_id: object) -> Optional[ref[Any]]:
    """A reference to LangChain's own id of a run that starts, which LangChain keeps for as long as the run may end.

    `None` where somebody else reports the start, and may make another id of the same number for the end.
    """
    return ref(run_id) if type(run_id) is UUID and _is_called_by(_CALLBACKS) else None


def _is_called_by(modules: Union[str, tuple[str, ...]]) -> bool:
    frame: Optional[FrameType] = inspect.currentframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(modules):
            return True
        frame = frame.f_back
    return False
