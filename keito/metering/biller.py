"""What a run needs of whoever bills it. Metering knows no prices and no projects; these two do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, Protocol

from keito.metering.by_hand import OtherUsage
from keito.metering.call import LLMCall
from keito.metering.outcome import Outcome
from keito.metering.status import RunStatus

if TYPE_CHECKING:
    from keito.metering.run import AgentRun


class Ledger(Protocol):
    """Keeps what one root run spends. Its methods may be called from any thread, and only `check` raises."""

    def fold(self, call: LLMCall) -> None:
        """Price a call at its own time and add it up; the run itself keeps it no longer."""
        ...

    def note(self, call: LLMCall, instead_of: Optional[LLMCall] = None) -> None:
        """A call was recorded, kept or folded: budgets count it, in place of what was known of it before."""
        ...

    def note_usage(self, usage: OtherUsage) -> None:
        """Other usage was recorded: budgets count its cost."""
        ...

    def note_outcome(self, outcome: Outcome) -> None:
        """An outcome was logged."""
        ...

    def check(self) -> None:
        """Raise if the run may not call a model again."""
        ...


class Biller(Protocol):
    """Starts the runs that are billed, and bills them."""

    def start(
        self,
        name: Optional[str] = None,
        *,
        trigger: Optional[str] = None,
        session_id: Optional[str] = None,
        framework: Optional[str] = None,
        parent: Optional[AgentRun] = None,
        project_id: Optional[str] = None,
        task_id: Optional[str] = None,
        attributes: Optional[Mapping[str, Any]] = None,
    ) -> AgentRun:
        """Start a run."""
        ...

    def finish(self, run: AgentRun, status: RunStatus = RunStatus.COMPLETED) -> Optional[Exception]:
        """End a run and bill it, if it is a root. It never raises; answers what a block of code should."""
        ...

    def supplement(self, run: AgentRun, *, for_outcome: bool = False) -> Optional[AgentRun]:
        """The open run that takes what comes after the end of `run`; `None` once it is too late to bill that."""
        ...

    async def afinish(self, run: AgentRun, status: RunStatus = RunStatus.COMPLETED) -> Optional[Exception]:
        """The same without blocking the event loop."""
        ...


def raise_failure(failure: Optional[Exception], error: Optional[BaseException]) -> None:
    """Raise at the end of a block by what its billing failed; the block's own error comes first."""
    if failure is not None and error is None:
        raise failure
