"""One execution of a crew, flow or agent, from its start to its end, however it ends."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Optional

from keito.billing.guard import is_stop
from keito.metering import AgentRun, RunStatus
from keito.metering.current import enter_run, leave_run
from keito.metering.dialects.reading import field
from keito_crewai import hooks, listener
from keito_crewai.binding import Binding
from keito_crewai.session import Session, current_session, inside

_NO_PATIENCE = 0.5
"""Seconds that a cancelled execution waits at most for model calls: somebody has pressed Ctrl-C."""


@dataclass(frozen=True)
class Subject:
    """What is executed.

    Attributes:
        thing: The crew, flow or agent.
        name: Its name, for people.
        inputs: What it was started with: the attributes of its run, which choose the policy. They are not posted.
    """

    thing: Any
    name: Optional[str]
    inputs: Mapping[str, Any]


class Execution:
    """A block in which something is executed and billed.

    Inside another run it is a part of that one, unless it is billed to another place; see `AgentBilling.run`. Crews in
    a flow share its session, so that the flow waits for their model calls once, at its end.

    Args:
        binding: What it is billed by.
        subject: What is executed.
    """

    def __init__(self, binding: Binding, subject: Subject) -> None:
        self._binding = binding
        self._subject = subject
        self._run: Optional[AgentRun] = None
        self._outer: Optional[AgentRun] = None
        self._session: Optional[Session] = None
        self._is_nested = False
        self._context = ExitStack()
        self._result: Any = None

    def keep(self, result: Any) -> Any:
        """Hand on the result, and remember it for a policy whose outcome depends on it."""
        self._result = result
        return result

    def __enter__(self) -> Execution:
        try:
            self._start()
        except Exception as error:  # the agent never breaks
            self._binding.billing.guard.caught("start", error)
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        run = self._leave()
        if run is not None:
            self._settle(error)
            self._binding.billing.finish(run, self._status(error))
        self._raise_stop(error)

    async def __aenter__(self) -> Execution:
        return self.__enter__()

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if isinstance(error, GeneratorExit):  # the coroutine was dropped, and may not wait for anything
            self.__exit__(kind, error, trace)
            return
        from anyio import CancelScope  # noqa: PLC0415 - a program without async code does without
        from anyio.to_thread import run_sync  # noqa: PLC0415

        run = self._leave()
        if run is not None:
            with CancelScope(shield=True):
                await run_sync(self._settle, error)
                await self._binding.billing.afinish(run, self._status(error))
        self._raise_stop(error)

    def _start(self) -> None:
        billing, subject = self._binding.billing, self._subject
        listener.register()
        hooks.register(self._binding)
        run = billing.start(subject.name, framework="crewai", parent=billing.around(), attributes=subject.inputs)
        self._run, self._outer = run, enter_run(run)
        session = current_session()
        self._is_nested = session is not None and session.run.root is run.root and run.is_open
        if session is None or not self._is_nested:
            session = Session(run, self._binding)
        self._session = session
        self._context.enter_context(inside(session))

    def _leave(self) -> Optional[AgentRun]:
        """Leave the context; answers the run, if there is one."""
        self._context.close()
        if self._run is not None:
            leave_run(self._run, self._outer)
        return self._run

    def _settle(self, error: Optional[BaseException]) -> None:
        session, run = self._session, self._run
        try:
            assert session is not None
            self._read_result(session)
            if not self._is_nested:
                is_cancelled = RunStatus.after(error) is RunStatus.CANCELLED
                session.settle(min(self._binding.patience, _NO_PATIENCE) if is_cancelled else self._binding.patience)
                listener.attribute_rest()
                session.close()
        except Exception as failure:  # the agent never breaks
            self._binding.billing.guard.caught("settle", failure)
        if error is None and run is not None and run.root is run:
            run.set_result(self._result)

    def _read_result(self, session: Session) -> None:
        """What CrewAI itself counted. It is kept for comparison only, since it counts shared models several times."""
        used = getattr(self._result, "token_usage", None) or getattr(self._subject.thing, "usage_metrics", None)
        total = field(used, "total_tokens")
        if isinstance(total, int):
            session.tally.reported(total)

    def _status(self, error: Optional[BaseException]) -> RunStatus:
        waits = type(self._result).__name__ == "HumanFeedbackPending"
        return RunStatus.PAUSED if error is None and waits else RunStatus.after(error)

    def _raise_stop(self, error: Optional[BaseException]) -> None:
        """CrewAI lets no error of a hook through as it is. Who asked to be stopped gets the error that says so."""
        stop = None if self._session is None else self._session.stop
        if stop is not None and isinstance(error, Exception) and not is_stop(error):
            raise stop from error
