"""What happens in a root run and its children."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Optional

from keito.metering.answers import Answers, Seen, joined
from keito.metering.biller import Ledger
from keito.metering.by_hand import OtherUsage
from keito.metering.call import LLMCall
from keito.metering.outcome import Outcome

CALLS_KEPT = 1024
"""Model calls of a run that are kept one by one; those after them are priced and added up at once.

As many again are kept whose tokens nobody has told yet, because a second report may.
"""

_KINDS_KEPT = 64
"""Kinds of other usage that are told apart."""

OTHER_KINDS = "(others)"


class RunEvents:
    """Collects events, each in constant time. Thread-safe; bounded for runs that have a ledger.

    Args:
        ledger: Takes over the calls beyond the first 1,024. Without one every call is kept.
        earlier: What happened in the run before its end, where this is its supplement.

    Attributes:
        late: Events that came after the end, and after the time for supplements.
        answers: Knows the calls that are recorded.
        is_closed: Whether nothing more is taken.
    """

    def __init__(self, ledger: Optional[Ledger], earlier: Optional[RunEvents] = None) -> None:
        # Reentrant: the garbage collector may drop a metered stream, which records, while this thread holds it.
        self.lock: threading.RLock = threading.RLock() if earlier is None else earlier.lock
        self.late = 0
        self.is_closed = False
        self.answers: Answers = Answers() if earlier is None else earlier.answers
        self._ledger = ledger
        self._calls: list[LLMCall] = []
        self._outcomes: list[Outcome] = []
        self._usage: dict[tuple[str, str], OtherUsage] = {}

    @property
    def calls(self) -> tuple[LLMCall, ...]:
        """The model calls that are kept, in the order of recording."""
        with self.lock:
            return tuple(self._calls)

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The outcomes, in the order of logging."""
        with self.lock:
            return tuple(self._outcomes)

    @property
    def usage(self) -> tuple[OtherUsage, ...]:
        """Other usage, one for each name and unit."""
        with self.lock:
            return tuple(self._usage.values())

    def close(self) -> None:
        """Take nothing more; the caller holds the lock."""
        self.is_closed = True
        self.answers.seal()

    def add_call(self, call: LLMCall, by: Optional[str] = None) -> bool:
        """Add a model call; answers whether it counts. The arguments are those of `Answers.find`."""
        with self.lock:
            if self.is_closed:
                return False
            if call.response_id is None:  # decided first: so are most of those that LangChain reports
                self._keep(call)
            elif (seen := self.answers.find(call, by)) is not None:
                seen.told_by(by)
                return self._add_report(seen, call)
            else:
                self.answers.remember(call, self._keep(call), by)
        if self._ledger is not None:
            self._ledger.note(call)
        return True

    def add_outcome(self, outcome: Outcome) -> bool:
        """Add an outcome; answers whether it counts."""
        with self.lock:
            if self.is_closed:
                return False
            self._outcomes.append(outcome)
        if self._ledger is not None:
            self._ledger.note_outcome(outcome)
        return True

    def add_usage(self, usage: OtherUsage) -> bool:
        """Add other usage; answers whether it counts."""
        with self.lock:
            if self.is_closed:
                return False
            key = (usage.name, usage.unit)
            if key not in self._usage and len(self._usage) >= _KINDS_KEPT:
                usage = OtherUsage(OTHER_KINDS, "use", Decimal(1), usage.cost)
                key = (OTHER_KINDS, "use")
            known = self._usage.get(key)
            self._usage[key] = usage if known is None else known + usage
        if self._ledger is not None:
            self._ledger.note_usage(usage)
        return True

    def _keep(self, call: LLMCall) -> Optional[int]:
        """Keep a call, and answer its place; or have it added up. The caller holds the lock."""
        limit = 2 * CALLS_KEPT if call.usage is None and call.response_id is not None else CALLS_KEPT
        if self._ledger is None or len(self._calls) < limit:
            self._calls.append(call)
            return len(self._calls) - 1
        # Within the lock: a run that ends meanwhile must not be billed without it.
        self._ledger.fold(call)
        return None

    def _add_report(self, seen: Seen, call: LLMCall) -> bool:
        """Add what a second report tells more; answers whether its tokens count. The caller holds the lock."""
        self.answers.repeated += 1
        if seen.place is not None:
            before = self._calls[seen.place]
            after = self._calls[seen.place] = joined(before, call)
        elif not seen.is_counted and call.usage is not None:
            before, after = None, call  # what was added up or billed cannot be taken back: the tokens come beside it
            seen.place = self._keep(call)
        else:
            return False
        self.answers.learn(seen, after, seen.place)
        if self._ledger is not None and after != before:
            self._ledger.note(after, instead_of=before)
        return before is None or after.usage != before.usage
