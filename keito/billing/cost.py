"""What the model calls of a run, or of many, cost together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Optional

from keito.billing.model_cost import ModelCost
from keito.metering import LLMCall, OtherUsage, Usage
from keito.pricing import PricedCall

UNKNOWN_MODEL = "unknown"
OTHER_MODELS = "(other models)"

_MOST_MODELS = 64
_MOST_RATES = 64
_MOST_GAPS = 256
"""Rows that one cost tells apart. What it counts is complete however many there are."""


@dataclass(frozen=True)
class RateRow:
    """The rates that one model's calls were priced with.

    Attributes:
        provider: Who served it.
        name: The model.
        rates: Price by unit.
        source: Where the prices come from.
        table_version: Which edition of them.
        currency: ISO code of the rates.
    """

    provider: Optional[str]
    name: str
    rates: Mapping[str, Decimal]
    source: Optional[str]
    table_version: Optional[str]
    currency: str = "USD"


@dataclass(frozen=True)
class Gap:
    """Calls that have no price, of one kind and one hour: what is needed to price them later.

    Rates that depend on the size of a request cannot be found from it; the calls that a run keeps one by one have
    their own sizes.

    Attributes:
        provider: Who served them.
        model: The model.
        tier: The service tier.
        reason: Why they have no price.
        hour: The hour of UTC in which they started; `None` where there were too many kinds to tell them apart, or
            where nobody knows.
        calls: How many.
        usage: Their tokens together.
        until: The last such hour, where several are added up.
    """

    provider: Optional[str]
    model: str
    tier: Optional[str]
    reason: str
    hour: Optional[datetime]
    calls: int
    usage: Usage
    until: Optional[datetime] = None


class RunCost:
    """What calls cost, added up one by one or cost by cost. The order in which they come makes no difference.

    Attributes:
        cached: How many calls were answered by a response cache, and cost nothing.
        failed: How many calls failed before there was anything to charge.
        partial: How many answers stopped before their end, so that not all their tokens are known.
        rates: Each set of rates that was used.
        other: Other usage, such as tools.
    """

    def __init__(self) -> None:
        self.cached = 0
        self.failed = 0
        self.partial = 0
        self.rates: list[RateRow] = []
        self.other: dict[tuple[str, str], OtherUsage] = {}
        self._models: dict[tuple[Optional[str], str], ModelCost] = {}
        self._gaps: dict[tuple[object, ...], Gap] = {}

    @classmethod
    def of(
        cls, models: Iterable[ModelCost], rates: Iterable[RateRow], gaps: Iterable[Gap], other: Iterable[OtherUsage]
    ) -> RunCost:
        """A cost of these parts."""
        cost = cls()
        cost._models = {(row.provider, row.name): row for row in models}
        cost._gaps = {_key(gap): gap for gap in gaps}
        cost.rates = list(rates)
        cost.add_other(other)
        return cost

    @property
    def models(self) -> list[ModelCost]:
        """One for each provider and model, those with the most tokens first."""
        return sorted(self._models.values(), key=lambda row: (-row.usage.total_tokens, row.name, row.provider or ""))

    @property
    def gaps(self) -> list[Gap]:
        """What has no price."""
        return list(self._gaps.values())

    @property
    def calls(self) -> int:
        """How many calls the providers charge for."""
        return sum(row.calls for row in self._models.values())

    @property
    def usage(self) -> Usage:
        """All tokens."""
        total = ModelCost(None, UNKNOWN_MODEL)
        for row in self._models.values():
            total.merge(row)
        return total.usage

    @property
    def amounts(self) -> dict[str, Decimal]:
        """What is known of the cost, by currency; empty where nothing has a price."""
        total = ModelCost(None, UNKNOWN_MODEL)
        for row in self._models.values():
            total.merge(row)
        for usage in self.other.values():
            if usage.cost is not None:
                total.pay("USD", usage.cost)
        return total.amounts

    @property
    def complete(self) -> bool:
        """Whether every call has a price."""
        return not any(row.reasons for row in self._models.values())

    def add(self, call: LLMCall, priced: PricedCall) -> None:
        """Add one sound call with its price."""
        if not call.chargeable:
            self.cached += bool(call.cached)
            self.failed += not call.cached
            return
        row = self._row(call.provider, call.model or UNKNOWN_MODEL)
        if call.usage is not None:
            row.count(call.usage)
        row.calls += 1
        self.partial += bool(call.partial)
        if priced.amount is None:
            self._miss(row, call, str(call.no_usage or priced.reason))
        else:
            row.pay(priced.currency, priced.amount)
            self._show_rates(row, priced)

    def add_other(self, usage: Iterable[OtherUsage]) -> None:
        """Add other usage."""
        for one in usage:
            known = self.other.get((one.name, one.unit))
            self.other[one.name, one.unit] = one if known is None else known + one

    def merge(self, other: RunCost) -> None:
        """Add another cost."""
        self.cached += other.cached
        self.failed += other.failed
        self.partial += other.partial
        for row in other._models.values():
            self._row(row.provider, row.name).merge(row)
        for rates in other.rates:
            self._join(rates)
        for gap in other.gaps:
            self._add_gap(gap)
        self.add_other(other.other.values())

    def only(self, row: ModelCost) -> RunCost:
        """The cost of one of its models."""
        part = RunCost()
        part._models = {(row.provider, row.name): row}
        part.rates = [rates for rates in self.rates if (rates.provider, rates.name) == (row.provider, row.name)]
        return part

    def without_models(self) -> RunCost:
        """The cost of other usage."""
        part = RunCost()
        part.other = dict(self.other)
        return part

    def _row(self, provider: Optional[str], name: str) -> ModelCost:
        row = self._models.get((provider, name))
        if row is None:
            if len(self._models) >= _MOST_MODELS:
                provider, name = None, OTHER_MODELS
            row = self._models.setdefault((provider, name), ModelCost(provider, name))
        return row

    def _miss(self, row: ModelCost, call: LLMCall, reason: str) -> None:
        row.reasons[reason] = row.reasons.get(reason, 0) + 1
        usage = call.usage or Usage()
        model = call.model or UNKNOWN_MODEL
        self._add_gap(Gap(call.provider, model, call.tier, reason, _hour(call.started_at), 1, usage))

    def _add_gap(self, gap: Gap) -> None:
        if _key(gap) not in self._gaps and len(self._gaps) >= _MOST_GAPS:
            gap = replace(gap, provider=None, model=OTHER_MODELS, tier=None, reason="several reasons", hour=None)
        known = self._gaps.get(_key(gap))
        if known is not None:
            gap = replace(gap, calls=gap.calls + known.calls, usage=gap.usage + known.usage)
        self._gaps[_key(gap)] = gap

    def _show_rates(self, row: ModelCost, priced: PricedCall) -> None:
        if row.last_priced != priced.rates:  # most calls of a model have the same rates as the one before
            row.last_priced = priced.rates
            self._join(
                RateRow(row.provider, row.name, priced.rates, priced.source, priced.table_version, priced.currency)
            )

    def _join(self, new: RateRow) -> None:
        """Add rates to those of the same origin, unless they contradict: rates differ by size, date and tier."""
        for place, row in enumerate(self.rates):
            agree = all(row.rates.get(name, rate) == rate for name, rate in new.rates.items())
            if agree and replace(row, rates=new.rates) == new:
                self.rates[place] = replace(row, rates={**row.rates, **new.rates})
                return
        if len(self.rates) < _MOST_RATES:
            self.rates.append(new)


def _hour(moment: Any) -> Optional[datetime]:
    try:
        found: datetime = moment.astimezone(timezone.utc).replace(minute=0, second=0, microsecond=0)
        return found
    except Exception:  # it is no time, or none that UTC has
        return None


def _key(gap: Gap) -> tuple[object, ...]:
    return (gap.provider, gap.model, gap.tier, gap.reason, gap.hour)
