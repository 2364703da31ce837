"""What happens in a root run and its children."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Optional

from keito.metering.biller import Ledger
from keito.metering.by_hand import OtherUsage
from keito.metering.call import LLMCall
from keito.metering.outcome import Outcome

CALLS_KEPT = 256
"""Model calls of a run that are kept one by one; those after them are priced and added up at once."""

_IDS_KEPT = 4096
"""Ids of answers by which a second report of a call is recognised; beyond it the oldest are forgotten."""

_KINDS_KEPT = 64
"""Kinds of other usage that are told apart."""

OTHER_KINDS = "(others)"


class RunEvents:
    """Collects events, each in constant time. Thread-safe; bounded for runs that have a ledger.

    Args:
        ledger: Takes over the calls beyond the first 256. Without one every call is kept.

    Attributes:
        late: Events that came after the end.
        repeated: Model calls that were reported a second time.
    """

    def __init__(self, ledger: Optional[Ledger]) -> None:
        # Reentrant: the garbage collector may drop a metered stream, which records, while this thread holds it.
        self.lock = threading.RLock()
        self.late = 0
        self.repeated = 0
        self._ledger = ledger
        self._closed = False
        self._calls: list[LLMCall] = []
        self._outcomes: list[Outcome] = []
        self._usage: dict[tuple[str, str], OtherUsage] = {}
        self._ids: dict[str, None] = {}

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
        self._closed = True

    def add_call(self, call: LLMCall) -> bool:
        """Add a model call; answers whether it counts."""
        with self.lock:
            if self._is_late() or self._is_repeated(call):
                return False
            if self._ledger is None or len(self._calls) < CALLS_KEPT:
                self._calls.append(call)
            else:
                # Within the lock: a run that ends meanwhile must not be billed without it.
                self._ledger.fold(call)
        if self._ledger is not None:
            self._ledger.note(call)
        return True

    def add_outcome(self, outcome: Outcome) -> bool:
        """Add an outcome; answers whether it counts."""
        with self.lock:
            if self._is_late():
                return False
            self._outcomes.append(outcome)
            return True

    def add_usage(self, usage: OtherUsage) -> bool:
        """Add other usage; answers whether it counts."""
        with self.lock:
            if self._is_late():
                return False
            key = (usage.name, usage.unit)
            if key not in self._usage and len(self._usage) >= _KINDS_KEPT:
                usage = OtherUsage(OTHER_KINDS, "use", Decimal(1), usage.cost)
                key = (OTHER_KINDS, "use")
            known = self._usage.get(key)
            self._usage[key] = usage if known is None else known + usage
            return True

    def _is_late(self) -> bool:
        self.late += self._closed
        return self._closed

    def _is_repeated(self, call: LLMCall) -> bool:
        """Whether the call was reported before, by a wrapper of the client below a framework for instance.

        An answer of a response cache has the id of the answer that it repeats, and is a call of its own.
        """
        answer = call.response_id
        if answer is None or call.cached:
            return False
        if answer in self._ids:
            self.repeated += 1
            return True
        self._ids[answer] = None
        if len(self._ids) > _IDS_KEPT:
            del self._ids[next(iter(self._ids))]
        return False
