"""One execution of a crew, flow or agent, from its start to its end, however it ends."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Optional

from keito.billing import AgentBilling
from keito.billing.guard import is_stop
from keito.metering import AgentRun, RunStatus
from keito.metering.current import enter_run, leave_run, starting_run
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
        self._leave()
        self._finish(error)
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

        self._leave()
        with CancelScope(shield=True):
            # No shield keeps `Task.cancel()` off this line, but the thread goes on to the end. So it does all there is.
            await run_sync(self._finish, error)
        self._raise_stop(error)

    def _start(self) -> None:
        billing, subject = self._binding.billing, self._subject
        listener.register()
        hooks.register(self._binding)
        run = _run_of(billing, subject)
        self._run, self._outer = run, enter_run(run)
        session = current_session()
        self._is_nested = session is not None and session.is_open and session.run.root is run.root
        if session is None or not self._is_nested:
            session = Session(run, self._binding)
        self._session = session
        self._context.enter_context(inside(session))

    def _leave(self) -> None:
        self._context.close()
        if self._run is not None:
            leave_run(self._run, self._outer)

    def _finish(self, error: Optional[BaseException]) -> None:
        """Bill the run, if there is one, also where somebody presses Ctrl-C while it waits for the last events."""
        try:
            if self._run is not None:
                self._settle(error)
        finally:
            if self._run is not None:
                self._binding.billing.finish(self._run, self._status(error))

    def _settle(self, error: Optional[BaseException]) -> None:
        session, run = self._session, self._run
        try:
            assert session is not None
            session.tally.reported(_reported_tokens(self._subject.thing, self._result))
            if not self._is_nested:
                self._end_session(session, is_cancelled=RunStatus.after(error) is RunStatus.CANCELLED)
        except Exception as failure:  # the agent never breaks
            self._binding.billing.guard.caught("settle", failure)
        if error is None and run is not None and run.root is run:
            run.set_result(self._result)

    def _end_session(self, session: Session, *, is_cancelled: bool) -> None:
        patience = self._binding.patience
        try:
            session.settle(min(patience, _NO_PATIENCE) if is_cancelled else patience)
            listener.attribute_rest()
        finally:
            session.close()

    def _status(self, error: Optional[BaseException]) -> RunStatus:
        waits = type(self._result).__name__ == "HumanFeedbackPending"
        return RunStatus.PAUSED if error is None and waits else RunStatus.after(error)

    def _raise_stop(self, error: Optional[BaseException]) -> None:
        """CrewAI lets no error of a hook through as it is. Who asked to be stopped gets the error that says so."""
        if self._session is None or not isinstance(error, Exception):
            return
        stop, self._session.stop = self._session.stop, None  # a flow may catch it, and fail with an error of its own
        if stop is not None and not is_stop(error):
            raise stop from error


def _run_of(billing: AgentBilling, subject: Subject) -> AgentRun:
    """A new run for an execution: a part of the run around it, if that one is open.

    Streams and tasks in the background may outlive the run that they were started in. Then it still says for whom.
    """
    around, started_in = billing.around(), starting_run()
    fields: dict[str, Any] = {"framework": "crewai", "attributes": subject.inputs}
    if around is None and started_in is not None and started_in.owner is billing:
        root = started_in.root
        fields.update(session_id=root.session_id, project_id=root.project_id, task_id=root.task_id)
        fields["attributes"] = {**started_in.attributes, **subject.inputs}
    return billing.start(subject.name, parent=around, **fields)


def _reported_tokens(thing: Any, result: Any) -> int:
    """What CrewAI itself counted, for comparison only. The crews of a flow have said so themselves."""
    if hasattr(thing, "resume_async"):
        return 0
    total = field(getattr(result, "token_usage", None), "total_tokens")
    return total if isinstance(total, int) else 0
