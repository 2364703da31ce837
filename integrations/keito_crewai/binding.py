"""What a crew, flow or agent is billed by."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

from keito.billing import AgentBilling
from keito.metering import Outcome

TaskOutcome = Union[Outcome, Callable[[Any], Union[Outcome, Iterable[Outcome], None]]]
"""What a task is worth when it is done: always the same, or what a function says of its `TaskOutput`."""

_NO_OUTCOMES: Mapping[str, TaskOutcome] = {}


@dataclass(frozen=True, eq=False)
class Binding:
    """What a crew, flow or agent is billed by.

    Attributes:
        billing: Bills it.
        task_outcomes: What its tasks are worth, by their names.
        exact: Whether the clients of its models are metered, too.
        training: Whether `train` and `test` are billed.
        patience: For how many seconds its end waits for model calls that have not ended.
    """

    billing: AgentBilling
    task_outcomes: Mapping[str, TaskOutcome] = field(default_factory=lambda: _NO_OUTCOMES)
    exact: bool = False
    training: bool = False
    patience: float = 2.0


class _Nobody:
    """Stands for a binding where nobody pays, whatever is installed."""


_NOBODY = _Nobody()
_bound: ContextVar[Union[Binding, _Nobody, None]] = ContextVar("keito_crewai_binding", default=None)
_installed: list[Binding] = []


def current_binding() -> Optional[Binding]:
    """What an execution that starts here is billed by, or `None` if by nobody."""
    found = _bound.get()
    if isinstance(found, Binding):
        return found
    return _installed[0] if found is None and _installed else None


@contextmanager
def bound(binding: Optional[Binding]) -> Generator[None, None, None]:
    """Within the block, what starts is billed by `binding`; by nobody, if it is `None`."""
    before = _bound.get()
    _bound.set(binding or _NOBODY)
    try:
        yield
    finally:
        _bound.set(before)


def set_installed(binding: Optional[Binding]) -> None:
    """What everything is billed by that nothing else is said of."""
    _installed[:] = [] if binding is None else [binding]


def is_installed() -> bool:
    """Whether there is such a thing."""
    return bool(_installed)
