"""What the model calls of a run cost together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Optional

from keito.metering import LLMCall, Usage
from keito.pricing import PricedCall, price

UNKNOWN_MODEL = "unknown"


@dataclass
class ModelCost:
    """The calls of one model.

    Attributes:
        provider: Who served it.
        name: The served model.
        calls: How many calls the provider charges for.
        usage: Their tokens, for reading: each call was priced by itself.
        amount: US dollars of those that have a price.
        reasons: Why the others have none, and how many there are.
        priced: How many have a price.
    """

    provider: Optional[str]
    name: str
    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    amount: Decimal = Decimal(0)
    reasons: dict[str, int] = field(default_factory=dict[str, int])
    priced: int = 0

    def add(self, call: LLMCall, priced: PricedCall) -> None:
        """Add one call."""
        self.calls += 1
        if call.usage is not None:
            self.usage += call.usage
        if priced.amount is not None:
            self.priced += 1
            self.amount += priced.amount
        else:
            reason = str(call.no_usage or priced.reason)
            self.reasons[reason] = self.reasons.get(reason, 0) + 1


@dataclass(frozen=True)
class RateRow:
    """The rates that one model's calls were priced with."""

    provider: Optional[str]
    name: str
    rates: Mapping[str, Decimal]
    source: Optional[str]
    table_version: Optional[str]


@dataclass(frozen=True)
class RunCost:
    """The calls of a run by model, those with the most tokens first.

    Attributes:
        models: One for each provider and model.
        rates: Each set of rates that was used.
        cached: How many calls were answered by a response cache, and cost nothing.
        failed: How many calls failed before there was anything to charge.
    """

    models: tuple[ModelCost, ...]
    rates: tuple[RateRow, ...]
    cached: int
    failed: int

    @property
    def usage(self) -> Usage:
        """All tokens."""
        return sum((model.usage for model in self.models), Usage())

    @property
    def amount(self) -> Optional[Decimal]:
        """US dollars of the calls that have a price; `None` when none has."""
        priced = [model for model in self.models if model.priced]
        return sum((model.amount for model in priced), Decimal(0)) if priced else None

    @property
    def complete(self) -> bool:
        """Whether every call has a price."""
        return not any(model.reasons for model in self.models)


def cost_of(calls: Sequence[LLMCall]) -> RunCost:
    """Price each call by itself and add up by model."""
    models: dict[tuple[Optional[str], str], ModelCost] = {}
    rates: list[RateRow] = []
    for call in calls:
        if not call.chargeable:
            continue
        priced = price(call)
        name = call.model or UNKNOWN_MODEL
        models.setdefault((call.provider, name), ModelCost(call.provider, name)).add(call, priced)
        if priced.amount is not None:
            _join(rates, RateRow(call.provider, name, priced.rates, priced.source, priced.table_version))
    return RunCost(
        models=tuple(sorted(models.values(), key=lambda model: -model.usage.total_tokens)),
        rates=tuple(rates),
        cached=sum(call.cached for call in calls),
        failed=sum(not call.chargeable and not call.cached for call in calls),
    )


def _join(rows: list[RateRow], new: RateRow) -> None:
    """Add rates to those of the same origin, unless they contradict: rates differ by size, date and tier."""
    for place, row in enumerate(rows):
        agree = all(row.rates.get(name, rate) == rate for name, rate in new.rates.items())
        if agree and replace(row, rates=new.rates) == new:
            rows[place] = replace(row, rates={**row.rates, **new.rates})
            return
    rows.append(new)
