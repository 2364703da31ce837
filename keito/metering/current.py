"""The run in whose context the code executes."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Optional, Protocol

from typing_extensions import Unpack

if TYPE_CHECKING:
    from keito.metering.by_hand import CallFields
    from keito.metering.outcome import Outcome
    from keito.metering.run import AgentRun


class Extent(Protocol):
    """How far the run of a framework reaches. It may be current in code beside it: of whoever reads its stream."""

    outer: Optional[AgentRun]
    """The run that it began in."""

    def is_here(self) -> bool:
        """Whether the code that asks is a part of the run."""
        ...


_current: ContextVar[Optional[AgentRun]] = ContextVar("keito_run", default=None)
_log = logging.getLogger("keito.billing")


def current_run() -> Optional[AgentRun]:
    """The open run that this code is part of, or `None`.

    It follows the context: asyncio tasks see it, and threads that were started with a copy of the context.
    """
    run = _current.get()
    return run if run is None or run.is_open else _enclosing(run)


def enclosing_run() -> Optional[AgentRun]:
    """The open run that a block which begins here is inside of, or `None`."""
    return _enclosing(_current.get())


def _enclosing(run: Optional[AgentRun]) -> Optional[AgentRun]:
    while run is not None and run.extent is not None and not run.extent.is_here():
        run = run.extent.outer
    return run if run is not None and run.is_open else None


def starting_run() -> Optional[AgentRun]:
    """The run in which this code was started, also after its end; or `None`. For integrations."""
    return _current.get()


def log_outcome(outcome: Outcome) -> bool:
    """Log an outcome to the current run.

    Returns:
        Whether it counts. Without a run around the code it is not billed, and a warning says so.
    """
    run = current_run()
    if run is None:
        _log.warning("Outcome %r was logged outside of any run and is not billed", getattr(outcome, "type", outcome))
        return False
    return run.log_outcome(outcome)


def record_llm_call(**fields: Unpack[CallFields]) -> bool:
    """Add a model call to the current run. The arguments are those of `AgentRun.record_llm_call`.

    Returns:
        Whether it counts. Without a run around the code it is not billed, and a warning says so.

    Raises:
        ValueError: A count is no whole number, the cost is not a number, or `started_at` has no time zone.
    """
    run = current_run()
    if run is None:
        _log.warning("A call of model %r was recorded outside of any run and is not billed", fields.get("model"))
        return False
    return run.record_llm_call(**fields)


def check_budget() -> None:
    """Raise if the current run may not call a model again. Without a run around the code nothing is checked.

    Raises:
        KeitoBudgetExceeded: A budget that is to stop the agent is used up.
    """
    run = current_run()
    if run is not None:
        run.check_budget()


def enter_run(run: AgentRun) -> Optional[AgentRun]:
    """Make `run` the current one of this context; answers the previous one, to be given to `leave_run`."""
    previous = _current.get()
    _current.set(run)
    return previous


def leave_run(run: AgentRun, previous: Optional[AgentRun]) -> None:
    """Undo `enter_run`, if this is the context where it happened.

    A ContextVar's own token cannot be used: a generator may be closed, and so its run end, in another context.
    """
    if _current.get() is run:
        _current.set(previous)


@contextmanager
def within_run(run: Optional[AgentRun]) -> Generator[None, None, None]:
    """Within the block, `run` is the current one, or none is; it neither starts nor ends it. For integrations."""
    before = _current.get()
    _current.set(run)
    try:
        yield
    finally:
        _current.set(before)
