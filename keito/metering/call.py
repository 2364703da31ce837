"""One call of a model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Optional

from keito.metering.compact import compact, quick
from keito.metering.status import RunStatus
from keito.metering.usage import Usage


class NoUsage(str, Enum):
    """Why a call has no token counts. Unknown is never zero: a reason is a state of its own."""

    NOT_REPORTED = "not reported"
    FAILED = "call failed"
    ABORTED = "stopped before usage arrived"
    UNFINISHED = "did not end before its run"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def after(cls, error: Optional[BaseException], *, answered: bool = False) -> NoUsage:
        """The reason when a call ended with `error`, or without one.

        Args:
            error: What ended it.
            answered: Whether a part of the answer had arrived by then.
        """
        if error is None:
            return cls.NOT_REPORTED
        # Who stopped listening, or waited too long, may be charged for an answer that nobody saw.
        timed_out = any("Timeout" in kind.__name__ for kind in type(error).__mro__)
        stopped = timed_out or RunStatus.after(error) is RunStatus.CANCELLED
        return cls.ABORTED if stopped or answered else cls.FAILED


@compact
@dataclass(frozen=True)
class LLMCall:
    """One call of a model: what was asked of whom, and what was counted.

    Attributes:
        started_at: When it was sent, with time zone. Prices are looked up for this moment.
        ended_at: When its answer was complete.
        provider: Who served it, such as `openai`.
        requested_model: The name that the program gave.
        served_model: The name that the answer gave, often more exact.
        usage: The counted tokens, or `None`.
        no_usage: Why `usage` is `None`.
        tier: The service tier that the provider names, such as `flex` or `batch`.
        cached: The answer came from a response cache on this side; the provider was not called.
        error: Name of the exception that ended the call.
        reported_cost: What the provider says that the call cost, in US dollars.
        response_id: The provider's id of the answer. Two reports with the same one are of the same call.
        operation: What was asked for, as OpenTelemetry names it: `chat`, `embeddings`, `text_completion`.
        partial: The answer stopped before its end; `usage` is what was counted by then, and the rest is not known.
    """

    started_at: datetime
    ended_at: datetime
    provider: Optional[str] = None
    requested_model: Optional[str] = None
    served_model: Optional[str] = None
    usage: Optional[Usage] = None
    no_usage: Optional[NoUsage] = None
    tier: Optional[str] = None
    cached: bool = False
    error: Optional[str] = None
    reported_cost: Optional[Decimal] = None
    response_id: Optional[str] = None
    operation: str = "chat"
    partial: bool = False

    @property
    def model(self) -> Optional[str]:
        """The served model's name, else the requested one's."""
        return self.served_model or self.requested_model

    @property
    def chargeable(self) -> bool:
        """Whether the provider charges for it: not for a cached answer, nor for a call that failed with no answer."""
        return not self.cached and self.no_usage is not NoUsage.FAILED


quick_call = quick(LLMCall)
"""Makes an `LLMCall`, where an agent waits for it."""
