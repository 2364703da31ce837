"""A call of a metered client, from its start until it is recorded."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Optional

from typing_extensions import Self

from keito.metering.call import LLMCall, NoUsage, quick_call
from keito.metering.dialects.report import Report, joined
from keito.metering.framework_call import FrameworkCall
from keito.metering.run import AgentRun
from keito.metering.wrappers.endpoints import Endpoint
from keito.metering.wrappers.guard import never_raises

_log = logging.getLogger("keito.billing")
_hinted: set[str] = set()


def _now() -> datetime:
    return datetime.now(timezone.utc)


class ClientCall(FrameworkCall):
    """The request of a metered client, as seen by instrumentations below it: their spans are of the same call."""

    __slots__ = ()

    @property
    def sees_embeddings(self) -> bool:
        """A client knows all its endpoints."""
        return True

    @classmethod
    def of(cls, run: AgentRun) -> Self:
        """Begin one that is recorded into `run`."""
        sent = cls.enter()
        sent.run = run
        return sent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.leave()


@dataclass
class PendingCall:
    """Records one call into the run in whose context it was started, once.

    Attributes:
        run: That run.
        endpoint: What was called.
        provider: Who answers.
        model: The requested model.
        area: Where it is answered, if that changes the rates.
        above: The model call of a framework that this is a part of.
        started_at: When it was sent.
    """

    run: AgentRun
    endpoint: Endpoint
    provider: str
    model: Optional[str]
    area: Optional[str] = None
    above: Optional[FrameworkCall] = field(default_factory=FrameworkCall.current)
    started_at: datetime = field(default_factory=_now)
    is_recorded: bool = False

    def __post_init__(self) -> None:
        self.is_of_several_runs = self.above is not None and self.above.is_of_several_runs

    @never_raises
    def answered(self, answer: object) -> None:
        """A whole answer is there."""
        if self.is_recorded:
            return
        report = self.endpoint.read(answer, self.provider)
        self.record(report, report.no_usage)

    @never_raises
    def failed(self, error: BaseException) -> None:
        """There was no answer, or none that the client could make sense of."""
        status = getattr(getattr(error, "response", None), "status_code", None)
        answered = isinstance(status, int) and status < 400
        self.record(Report(), NoUsage.after(error, answered=answered), type(error).__name__)

    @never_raises
    def unreadable(self, error: Optional[Exception] = None) -> None:
        """There was an answer, and nobody has made sense of it: it was raw and not parsed, or is malformed."""
        self.record(Report(), NoUsage.NOT_REPORTED, None if error is None else type(error).__name__)

    def knows(self, response_id: Optional[str]) -> None:
        """Tell the framework above the id of the answer, by which both reports of the call are known as one."""
        if self.above is not None and response_id is not None:
            self.above.tell(response_id)

    def record(
        self, report: Report, no_usage: Optional[NoUsage], error: Optional[str] = None, *, partial: bool = False
    ) -> None:
        """Record the call, the first time that this is called."""
        if self.is_recorded:
            return
        self.is_recorded = True
        self.knows(report.response_id)
        if self._is_reported_above(report):
            return
        call = quick_call(
            started_at=self.started_at,
            ended_at=_now(),
            provider=self.provider,
            requested_model=self.model,
            served_model=report.model,
            usage=report.usage,
            no_usage=no_usage,
            tier=joined(report.tier if report.tier != "standard" else None, self.area) or report.tier,
            error=error,
            reported_cost=report.reported_cost,
            response_id=report.response_id,
            operation=self.endpoint.operation,
            partial=partial,
        )
        self.run.record(call, by="client")
        if no_usage is NoUsage.NOT_REPORTED:
            _hint(call, self.endpoint.hint)

    def _is_reported_above(self, report: Report) -> bool:
        """Whether only the framework can report it: without an id, or in two runs, two reports would be two calls."""
        if self.above is None or self.endpoint.operation == "embeddings":
            return False
        return report.response_id is None or self.is_of_several_runs


def _hint(call: LLMCall, hint: str) -> None:
    if hint not in _hinted:
        _hinted.add(hint)
        _log.warning("Model %s reported no token usage, so its cost is not known. %s", call.model, hint)
