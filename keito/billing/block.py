"""`with billing.run(...)`: a block of code that is one run."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Optional

from keito.metering import AgentRun, RunStatus, current_run
from keito.metering.current import enter_run, leave_run

if TYPE_CHECKING:
    from keito.billing.agent_billing import AgentBilling


class RunBlock:
    """Starts a run when the block is entered, and bills it when the block is left, however that happens."""

    def __init__(
        self, billing: AgentBilling, name: Optional[str], trigger: Optional[str], session_id: Optional[str]
    ) -> None:
        self._billing = billing
        self._name = name
        self._trigger = trigger
        self._session_id = session_id
        self._outer: Optional[AgentRun] = None
        self._run: Optional[AgentRun] = None

    def __enter__(self) -> AgentRun:
        around = current_run()
        self._run = self._billing.start(
            self._name,
            trigger=self._trigger,
            session_id=self._session_id,
            parent=around if around is not None and around.owner is self._billing else None,
        )
        self._outer = enter_run(self._run)
        return self._run

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        run = self._leave(error)
        if run is not None:
            self._billing.bill(run)

    async def __aenter__(self) -> AgentRun:
        return self.__enter__()

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        run = self._leave(error)
        if run is not None:
            from anyio.to_thread import run_sync  # noqa: PLC0415

            # Posting blocks, and the event loop must not. A cancelled task still waits for it to end.
            await run_sync(self._billing.bill, run)

    def _leave(self, error: Optional[BaseException]) -> Optional[AgentRun]:
        """End the run; answers it if it is to be billed."""
        run = self._run
        if run is None:
            return None
        leave_run(run, self._outer)
        return run if self._billing.end(run, RunStatus.after(error)) else None
