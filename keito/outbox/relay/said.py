"""What a relay says in the log: what stands for all its like once, what somebody must look at each time."""

from __future__ import annotations

import logging
from typing import Optional

from keito.outbox.fate import ADVICE
from keito.outbox.relay.attempt import Attempt
from keito.outbox.relay.reconcile import Reconciliation
from keito.outbox.stored import RecordState

_log = logging.getLogger("keito.billing")

_FATES = {
    RecordState.PENDING: "it waits in the outbox and is sent again",
    RecordState.HELD: "it is held in the outbox until somebody has put that right",
    RecordState.UNSURE: "it may be on Keito, which is asked before it is sent again",
    RecordState.DEAD: "it is not sent again",
}

_ADVICE = {**ADVICE, 429: "it is sent again when the API allows it"}


class RelayLog:
    """Says each trouble once, until all is well again."""

    def __init__(self) -> None:
        self._said: set[tuple[Optional[RecordState], object]] = set()

    def attempted(self, attempt: Attempt) -> None:
        """Say what has become of a record that was not delivered."""
        if attempt.error is None:
            return
        record, to = attempt.record, attempt.settlement
        advice = _ADVICE.get(to.status_code or 0) if to.state is RecordState.HELD else None
        _log.log(
            self._level(to.state, attempt.outcome),
            "%s %s is %s: %s; %s",
            record.kind,
            record.key,
            to.state,
            attempt.error,
            advice or _FATES[to.state],
        )

    def reconciled(self, result: Reconciliation) -> None:
        """Say why nothing is known of records in doubt."""
        if result.error is None:
            return
        level = self._level(None, type(result.error))
        _log.log(level, "Keito cannot be asked for %d records in doubt: %s", len(result.settlements), result.error)

    def recovered(self) -> None:
        """All is well again."""
        if self._said:
            self._said.clear()
            _log.info("Keito takes records again")

    def trouble(self, error: Exception) -> None:
        """Say that the outbox itself fails."""
        level = self._level(None, (type(error), str(error)[:80]))
        _log.log(level, "The outbox fails, and is tried again: %s", error, exc_info=level > logging.DEBUG)

    def _level(self, state: Optional[RecordState], kind: object) -> int:
        if state is RecordState.DEAD:
            return logging.ERROR
        known = (state, kind) in self._said
        if len(self._said) < 100:
            self._said.add((state, kind))
        return logging.DEBUG if known else logging.WARNING
