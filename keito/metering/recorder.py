"""What a run records."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Optional

from keito.metering.biller import Biller, Ledger
from keito.metering.by_hand import Number, OtherUsage, call_of
from keito.metering.call import LLMCall
from keito.metering.events import RunEvents
from keito.metering.outcome import Outcome

if TYPE_CHECKING:
    from keito.metering.run import AgentRun

_log = logging.getLogger("keito.billing")


class Recorder:
    """Takes the events of a run, each in the same, small time, from any thread.

    Attributes:
        root: The run that is billed for this one; itself, if it is a root.
        uid: Identifies the run for ever.
        name: What ran, for people.
        owner: Who bills the run.
        ledger: Keeps what the run spends.
    """

    root: AgentRun
    uid: str
    name: Optional[str]
    owner: Optional[Biller]
    ledger: Optional[Ledger]
    _events: RunEvents

    @property
    def calls(self) -> tuple[LLMCall, ...]:
        """Model calls of the root and all its children, in the order of recording.

        Where a billing keeps the ledger, these are the first 1,024; the others are in the ledger only.
        """
        return self._events.calls

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The outcomes of the root and all its children, in the order of logging."""
        return self._events.outcomes

    @property
    def other_usage(self) -> tuple[OtherUsage, ...]:
        """What `record_usage` was told, added up for each name and unit."""
        return self._events.usage

    @property
    def late_events(self) -> int:
        """Events that came after the end of the root, and too late for a supplement; they are not billed."""
        return self._events.late

    @property
    def repeated_calls(self) -> int:
        """Model calls that were reported twice, and counted once."""
        return self._events.answers.repeated

    def record(self, call: LLMCall, *, by: Optional[str] = None) -> bool:
        """Add a model call.

        Args:
            call: The call.
            by: Which integration reports it, if that reports each call once: two reports of it with one id, as of a
                test server that has only one, are two calls then.

        Returns:
            Whether it counts: not long after the end of the run, nor when the same answer was recorded before, which
            its `response_id` tells. A second report that has tokens takes the place of a first one that has none.
        """
        events = self._events
        if events.add_call(call, by):
            return True
        return events.is_closed and self._added(lambda events: events.add_call(call, by), "a model call")

    def record_llm_call(
        self,
        *,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        input_tokens: Optional[int] = None,
        output_tokens: Optional[int] = None,
        cache_read_tokens: int = 0,
        cache_write_tokens: Optional[int] = None,
        cache_write_5m_tokens: int = 0,
        cache_write_1h_tokens: int = 0,
        reasoning_tokens: int = 0,
        input_audio_tokens: int = 0,
        output_audio_tokens: int = 0,
        input_image_tokens: int = 0,
        output_image_tokens: int = 0,
        tier: Optional[str] = None,
        cached: bool = False,
        reported_cost: Optional[Number] = None,
        response_id: Optional[str] = None,
        started_at: Optional[datetime] = None,
    ) -> bool:
        """Add a model call by its counts, which mean what `Usage` says.

        Args:
            provider: Who served it, such as `openai`.
            model: The served model.
            input_tokens: All input, cache reads and writes included; `None` when it is not known.
            output_tokens: All output, reasoning included; `None` when it is not known.
            cache_read_tokens: Part of the input that was read from the provider's prompt cache.
            cache_write_tokens: Part of the input that was written to it; by default the sum of the next two.
            cache_write_5m_tokens: Part of it that is kept for 5 minutes.
            cache_write_1h_tokens: Part of it that is kept for 1 hour.
            reasoning_tokens: Part of the output that the user does not see.
            input_audio_tokens: Part of the input that was sound.
            output_audio_tokens: Part of the output that is sound.
            input_image_tokens: Part of the input that was images.
            output_image_tokens: Part of the output that is images.
            tier: The service tier, such as `flex`.
            cached: The answer came from a response cache on this side, and costs nothing.
            reported_cost: What the provider says that it cost, in US dollars.
            response_id: The provider's id of the answer: a second report of it is ignored.
            started_at: When it was sent, with time zone; now by default. Prices are those of this moment.

        Returns:
            Whether it counts: not after the end of the run, nor a second time.

        Raises:
            ValueError: A count is no whole number, the cost is not a number, or `started_at` has no time zone.
        """
        return self.record(
            call_of(
                provider=provider,
                model=model,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cache_read_tokens=cache_read_tokens,
                cache_write_tokens=cache_write_tokens,
                cache_write_5m_tokens=cache_write_5m_tokens,
                cache_write_1h_tokens=cache_write_1h_tokens,
                reasoning_tokens=reasoning_tokens,
                input_audio_tokens=input_audio_tokens,
                output_audio_tokens=output_audio_tokens,
                input_image_tokens=input_image_tokens,
                output_image_tokens=output_image_tokens,
                tier=tier,
                cached=cached,
                reported_cost=reported_cost,
                response_id=response_id,
                started_at=started_at,
            )
        )

    def record_usage(
        self, name: str, quantity: Number = 1, *, unit: str = "call", cost: Optional[Number] = None
    ) -> bool:
        """Add something else that the run used, such as a tool, an embedding or a page of OCR.

        Args:
            name: What, such as `web_search`.
            quantity: How much.
            unit: What is counted, such as `search`, `token` or `page`.
            cost: What it cost in US dollars; it becomes part of the expense. Without it the usage is only named.

        Returns:
            Whether it counts: not after the end of the run.

        Raises:
            ValueError: A text is empty or longer than 100 characters, or a number is negative or not finite.
        """
        usage = OtherUsage.of(name, quantity, unit, cost)
        return self._added(lambda events: events.add_usage(usage), "a usage")

    def log_outcome(self, outcome: Outcome) -> bool:
        """Add an outcome, to be billed when the run completes; answers whether it still counts.

        Something else than an `Outcome` is not billed, and the log says so: an agent does not end over its bill.
        """
        if not isinstance(outcome, Outcome):  # pyright: ignore[reportUnnecessaryIsInstance]
            _log.error(
                "Run %s: %r is no Outcome and is not billed; log Outcome(type, unit_price=...)", self.uid, outcome
            )
            return False
        return self._added(lambda events: events.add_outcome(outcome), "an outcome", is_outcome=True)

    def check_budget(self) -> None:
        """Raise if the run may not call a model again. Call it before a model call that no framework makes.

        Raises:
            KeitoBudgetExceeded: A budget that is to stop the agent is used up.
        """
        if self.ledger is not None:
            self.ledger.check()

    def _added(self, add: Callable[[RunEvents], bool], what: str, *, is_outcome: bool = False) -> bool:
        """Add an event to the run, or after its end to a supplement; answers whether it counts."""
        run: Optional[Recorder] = self
        while run is not None:
            if add(run._events):
                return True
            if not run._events.is_closed:
                return False
            run = self._supplement(is_outcome)
        self._events.late += 1
        if self._events.late == 1:
            root = self.root
            _log.warning("Run %s (%s) had ended when more arrived (%s); not billed", root.uid, root.name, what)
        return False

    def _supplement(self, is_outcome: bool) -> Optional[AgentRun]:
        root = self.root
        return None if root.owner is None else root.owner.supplement(root, for_outcome=is_outcome)
