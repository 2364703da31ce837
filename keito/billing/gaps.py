"""Says what is not billed, once for each reason."""

from __future__ import annotations

import logging

from keito.billing.cost import RunCost
from keito.billing.policy import BillingPolicy
from keito.pricing.listed import how_to_install

_log = logging.getLogger("keito.billing")

_MOST_SAID = 1000
_EXPENSE = ""
"""In the place of a model: the cost of all of them has nowhere to go."""

_NO_PRICE = ("unknown model", "fine-tuned model", "no rate", "tier without a rate")


class GapLog:
    """Writes a warning for each cost that is not billed, and remembers which it has written."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()

    def say(self, cost: RunCost, policy: BillingPolicy, *, has_entry: bool) -> None:
        """Say what is missing of the cost of a run, and whether its time entry has the tokens."""
        gaps = [(row.name, reason) for row in cost.models for reason in row.reasons]
        if any(cost.amounts.values()) and policy.post.expense and policy.expense_category_id is None:
            gaps.append((_EXPENSE, "KEITO_EXPENSE_CATEGORY_ID is not set"))
        for what, reason in gaps:
            if (what, reason) not in self._said and len(self._said) < _MOST_SAID:
                self._said.add((what, reason))
                where = _where(cost, what, reason) if has_entry else ""
                name = f" for {what}" if what else ""
                _log.warning("LLM cost not billed%s: %s%s%s", name, reason, where, _advice(reason) if where else "")


def _where(cost: RunCost, what: str, reason: str) -> str:
    """Where the tokens are of calls that have no price; or of all, where the model is none."""
    usages = [gap.usage for gap in cost.gaps if (gap.model, gap.reason) == (what, reason)]
    if what == _EXPENSE:
        usages = [cost.usage]
    if any(usage.total_tokens for usage in usages):
        return "; its tokens are in the time entry"
    return "; no tokens of it are known" if usages else ""


def _advice(reason: str) -> str:
    """How it is billed nevertheless, where somebody can see to that."""
    if reason == "genai-prices not installed":
        return f"; {how_to_install()}, then: python -m keito outbox reprice"
    if reason.startswith(_NO_PRICE):
        return "; give it a price of your own, then: python -m keito outbox reprice"
    return ""
