"""`with billing.run(...)`: a block of code that is one run."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

from keito.metering import AgentRun, RunStatus
from keito.metering.biller import raise_failure
from keito.metering.current import enter_run, leave_run

if TYPE_CHECKING:
    from keito.billing.agent_billing import AgentBilling


class RunBlock:
    """Starts a run when the block is entered, and bills it when the block is left, however that happens.

    Args:
        billing: Who bills it.
        fields: What `AgentBilling.start` takes.
    """

    def __init__(self, billing: AgentBilling, fields: Mapping[str, Any]) -> None:
        self._billing = billing
        self._fields = fields
        self._outer: Optional[AgentRun] = None
        self._run: Optional[AgentRun] = None

    def __enter__(self) -> AgentRun:
        self._run = self._billing.start(**self._fields, parent=self._billing.around())
        self._outer = enter_run(self._run)
        return self._run

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._run is not None:
            leave_run(self._run, self._outer)
            raise_failure(self._billing.finish(self._run, RunStatus.after(error)), error)

    async def __aenter__(self) -> AgentRun:
        return self.__enter__()

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._run is not None:
            leave_run(self._run, self._outer)
            raise_failure(await self._billing.afinish(self._run, RunStatus.after(error)), error)
