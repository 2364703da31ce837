"""What runs are billed by, and what they cost, as text: for the journal of open runs and the windows of rollups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import NoReturn, Optional, Union

from keito.billing.budget import Budget
from keito.billing.cost import Gap, RateRow, RunCost
from keito.billing.model_cost import ModelCost
from keito.billing.policy import BillingPolicy
from keito.billing.post import Post
from keito.metering import OtherUsage, Outcome, Usage
from keito.metering.codec import Codec
from keito.pricing import ExchangeRate, ExchangeRateError, PriceTable
from keito.pricing.model_price import ModelPrice


@dataclass(frozen=True)
class _NoRate:
    """Stands for an exchange rate whose function failed."""

    currency: str
    base: str
    reason: str

    def on(self, _: date) -> NoReturn:
        raise ExchangeRateError(self.reason)


@dataclass(frozen=True)
class _Model:
    """What a `ModelCost` is made of."""

    provider: Optional[str]
    name: str
    calls: int
    amounts: Mapping[str, Decimal]
    reasons: Mapping[str, int]
    usage: Usage

    @classmethod
    def of(cls, row: ModelCost) -> _Model:
        return cls(row.provider, row.name, row.calls, row.amounts, row.reasons, row.usage)

    def row(self) -> ModelCost:
        row = ModelCost(self.provider, self.name)
        row.calls, row.amounts, row.reasons = self.calls, dict(self.amounts), dict(self.reasons)
        row.count(self.usage)
        return row


@dataclass(frozen=True)
class _Cost:
    """What a `RunCost` is made of."""

    models: list[_Model]
    rates: list[RateRow]
    gaps: list[Gap]
    other: list[OtherUsage]
    cached: int = 0
    failed: int = 0
    partial: int = 0


_POLICIES = Codec(BillingPolicy, Post, Budget, Outcome, ExchangeRate, _NoRate, PriceTable, ModelPrice)
_COSTS = Codec(_Cost, _Model, RateRow, Gap, OtherUsage, Usage)


def policy_text(policy: BillingPolicy, day: date) -> str:
    """A policy as text, for records of a day.

    Functions cannot be kept. An exchange rate becomes that of the day. An outcome that is a function is left out: it
    is only asked when a run completes, and who completes it has the function.
    """
    kept = replace(policy, exchange_rate=None, outcome=None if callable(policy.outcome) else policy.outcome)
    return _POLICIES.write((kept, _rate_of_day(policy.exchange_rate, day)))


def policy_of(text: str) -> BillingPolicy:
    """The policy that a text describes.

    Raises:
        ValueError: It describes none.
        TypeError: A newer keito has written it.
    """
    policy, rate = _POLICIES.read(text)
    if isinstance(rate, _NoRate):
        rate = ExchangeRate(rate.currency, rate.on, rate.base)
    found: BillingPolicy = replace(policy, exchange_rate=rate)
    return found


def _rate_of_day(rate: Optional[ExchangeRate], day: date) -> Union[ExchangeRate, _NoRate, None]:
    if rate is None or not callable(rate.rate):
        return rate
    try:
        return replace(rate, rate=rate.on(day))
    except ExchangeRateError as error:
        return _NoRate(rate.currency, rate.base, str(error))


def cost_text(cost: RunCost) -> str:
    """A cost as text, exactly."""
    models = [_Model.of(row) for row in cost.models]
    other = list(cost.other.values())
    return _COSTS.write(_Cost(models, cost.rates, cost.gaps, other, cost.cached, cost.failed, cost.partial))


def cost_of_text(text: str) -> RunCost:
    """The cost that a text describes.

    Raises:
        ValueError: It describes none.
        TypeError: A newer keito has written it.
    """
    found: _Cost = _COSTS.read(text)
    cost = RunCost.of([model.row() for model in found.models], found.rates, found.gaps, found.other)
    cost.cached, cost.failed, cost.partial = found.cached, found.failed, found.partial
    return cost
