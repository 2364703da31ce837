"""Calls that could not be priced when they were made, and can be once there is a price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Optional

from keito.metering import LLMCall
from keito.pricing.kinds import unpriceable
from keito.pricing.price import price
from keito.pricing.priced import PricedCall
from keito.pricing.rates import EXACT
from keito.pricing.table import PriceTable


@dataclass(frozen=True)
class UnpricedModel:
    """A model whose calls have no price, for one reason.

    Attributes:
        provider: Who served it, as the calls say.
        model: Its name, as the calls say.
        tier: The service tier of the calls.
        reason: Why they have no price.
        calls: How many there are.
        input_tokens: Their input.
        output_tokens: Their output.
        first: When the first of them began.
        last: When the last of them began.
    """

    provider: Optional[str]
    model: Optional[str]
    tier: Optional[str]
    reason: str
    calls: int
    input_tokens: int
    output_tokens: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Repricing:
    """What became of calls that were priced again.

    Attributes:
        priced: Those that have a price now, with it.
        unpriced: Those that have none still, with the reason.
    """

    priced: tuple[tuple[LLMCall, PricedCall], ...]
    unpriced: tuple[tuple[LLMCall, PricedCall], ...]

    @property
    def amounts(self) -> Mapping[str, Decimal]:
        """What those with a price cost together, by currency."""
        sums: dict[str, Decimal] = {}
        for _, found in self.priced:
            sums[found.currency] = EXACT.add(sums.get(found.currency, Decimal(0)), found.amount or Decimal(0))
        return sums


def reprice(calls: Iterable[LLMCall], table: Optional[PriceTable] = None) -> Repricing:
    """Price calls again, each at the time when it was made: with a table that names more, or a newer genai-prices."""
    found = [(call, price(call, table)) for call in calls]
    return Repricing(
        priced=tuple(pair for pair in found if pair[1].amount is not None),
        unpriced=tuple(pair for pair in found if pair[1].amount is None),
    )


def unknown_models(calls: Iterable[LLMCall], table: Optional[PriceTable] = None) -> tuple[UnpricedModel, ...]:
    """The models to which a price is missing, those with the most calls first.

    Calls that no price can help are left out: those without usage, and those whose counts contradict each other.
    """
    groups: dict[tuple[Optional[str], Optional[str], Optional[str], str], list[LLMCall]] = {}
    for call, found in reprice((call for call in calls if _has_tokens(call)), table).unpriced:
        groups.setdefault((call.provider, call.model, call.tier, str(found.reason)), []).append(call)
    models = [_unpriced(*key, calls=group) for key, group in groups.items()]
    return tuple(sorted(models, key=lambda model: (-model.calls, model.provider or "", model.model or "")))


def _has_tokens(call: LLMCall) -> bool:
    return call.usage is not None and call.usage.total_tokens > 0 and unpriceable(call.usage) is None


def _unpriced(
    provider: Optional[str], model: Optional[str], tier: Optional[str], reason: str, calls: list[LLMCall]
) -> UnpricedModel:
    usages = [call.usage for call in calls if call.usage is not None]
    return UnpricedModel(
        provider=provider,
        model=model,
        tier=tier,
        reason=reason,
        calls=len(calls),
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        first=min(call.started_at for call in calls),
        last=max(call.started_at for call in calls),
    )
