"""Says what is not billed, once for each reason."""

from __future__ import annotations

import logging

from keito.billing.cost import RunCost
from keito.billing.policy import BillingPolicy

_log = logging.getLogger("keito.billing")

_MOST_SAID = 1000


class GapLog:
    """Writes a warning for each cost that is not billed, and remembers which it has written."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()

    def say(self, cost: RunCost, policy: BillingPolicy) -> None:
        """Say what is missing of the cost of a run."""
        gaps = [(row.name, reason) for row in cost.models for reason in row.reasons]
        if any(cost.amounts.values()) and policy.post.expense and policy.expense_category_id is None:
            gaps.append(("expense", "KEITO_EXPENSE_CATEGORY_ID is not set"))
        for what, reason in gaps:
            if (what, reason) not in self._said and len(self._said) < _MOST_SAID:
                self._said.add((what, reason))
                _log.warning("LLM cost not billed for %s: %s; its tokens are in the time entry", what, reason)
