"""Expenses for what model calls cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Optional

from keito.billing.charge import Charge, charge_facts, charges_for, has_rates, posted
from keito.billing.cost import RunCost
from keito.billing.metadata import cost_facts, rate_row
from keito.billing.policy import BillingPolicy
from keito.metering.text import readable


@dataclass(frozen=True)
class Expense:
    """One expense to be posted.

    Attributes:
        cost: What it is for.
        charge: What the client is charged for that, exactly.
        part: Which one it is of the expenses for that cost, which are in different currencies.
        parts: How many those are.
    """

    cost: RunCost
    charge: Charge
    part: int = 0
    parts: int = 1

    @property
    def used(self) -> Optional[RunCost]:
        """What is shown as used. It is in the first part only: otherwise sums would count it twice."""
        return self.cost if self.part == 0 else None

    def body(self, policy: BillingPolicy, total: Optional[Decimal] = None) -> dict[str, Any]:
        """The fields that an expense has beside project, day and metadata.

        Args:
            policy: What it is billed by.
            total: What to post; by default the charge, rounded.
        """
        return {
            "expense_category_id": policy.expense_category_id,
            "total_cost": posted(self.charge.amount, policy.cost_decimals) if total is None else total,
            "notes": readable(_notes(self.cost) + (f" (cost in {self.charge.currency})" if self.parts > 1 else "")),
            **({} if policy.billable is None else {"billable": policy.billable}),
        }

    def facts(self) -> Mapping[str, Any]:
        """How the amount came to be, for the metadata."""
        is_split = self.parts > 1
        rates = (row for row in self.cost.rates if not is_split or row.currency in self.charge.currencies)
        # In one record only, the time entry: what is priced later must not be priced twice.
        used = {} if self.used is None else cost_facts(self.used)
        facts = {name: value for name, value in used.items() if name != "gaps"}
        return {
            **facts,
            **charge_facts(self.charge, is_one_of_several=is_split),
            "part": f"{self.part + 1} of {self.parts}" if is_split else None,
            "pricing": [rate_row(row) for row in rates],
        }


def expenses_for(cost: RunCost, policy: BillingPolicy, day: date) -> list[Expense]:
    """The expenses for a cost: one, or one for each model; in each currency. None for what has no price, or costs 0."""
    return [
        Expense(part, charge, number, len(charges))
        for part in _parts(cost, policy)
        for charges in [charges_for(part.amounts, policy, day)]
        for number, charge in enumerate(charges)
    ]


def not_converted(cost: RunCost, policy: BillingPolicy, day: date) -> bool:
    """Whether a part of the cost is left out because no exchange rate is known for it."""
    return not has_rates(cost.amounts, policy, day)


def _parts(cost: RunCost, policy: BillingPolicy) -> Iterator[RunCost]:
    if policy.expense_per == "run":
        yield cost
        return
    for row in cost.models:
        yield cost.only(row)
    if cost.other:
        yield cost.without_models()


def _notes(cost: RunCost) -> str:
    """As the documentation writes it: "claude-opus-4-6: 30k input + 15k output tokens"."""
    usage, models = cost.usage, cost.models
    if not models:
        return ", ".join(f"{one.name}: {one.quantity:,f} {one.unit}" for one in cost.other.values())[:200]
    others = f" and {len(models) - 1} more" if len(models) > 1 else ""
    return f"{models[0].name}{others}: {usage.input_tokens:,} input + {usage.output_tokens:,} output tokens"
