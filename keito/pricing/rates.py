"""Sets of rates, and what a call's tokens cost by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Optional

from keito.metering import Usage
from keito.pricing.kinds import cached_image, counted
from keito.pricing.priced import PricedCall

EXACT = Context(prec=100)
"""Products and sums of rates and counts are exact in it, whatever precision the program has set for itself."""

REQUEST_RATES = {"request": 0, "requests_kcount": -3}
"""Prices of the request itself, and the power of ten of the requests that they are for."""

METERED = frozenset(unit for _, _, accepted in counted(Usage()) for unit in accepted) | frozenset(REQUEST_RATES)
"""The units that keito prices. A table may have others, such as web searches, that no call reports."""

Steps = tuple[tuple[int, Decimal], ...]


@dataclass(frozen=True)
class Rate:
    """One rate, which may depend on the size of the request.

    Attributes:
        base: The price of a million tokens.
        steps: Prices that hold instead when the request has more input tokens than their number says.
    """

    base: Decimal
    steps: Steps = ()

    def at(self, input_tokens: int) -> Decimal:
        """The rate of a request of this size. It is the rate of all of its tokens."""
        above = [rate for start, rate in self.steps if input_tokens > start]
        return above[-1] if above else self.base


@dataclass(frozen=True)
class RateSet:
    """The rates of one model at one moment and in one service tier.

    Attributes:
        rates: By unit: `input_mtok` is the price of a million input tokens.
        source: Where they come from.
        table_version: Which edition of it.
        currency: ISO code of all rates.
        tier: The units that a service tier has rates of its own for; `None` for the standard tier.
        images_are_text: Images in the input cost as much as text.
    """

    rates: Mapping[str, Rate]
    source: str
    table_version: Optional[str] = None
    currency: str = "USD"
    tier: Optional[frozenset[str]] = None
    images_are_text: bool = False

    def price(self, usage: Usage) -> PricedCall:
        """What the tokens cost, or the first kind of token that has no rate."""
        if cached_image(usage) and not self.images_are_text:
            return self._refused("no rate for cached image tokens")
        used: dict[str, Decimal] = {}
        amount = Decimal(0)
        for kind, count, accepted in counted(usage, images_are_text=self.images_are_text):
            if count == 0:
                continue
            unit = next((name for name in accepted if name in self.rates), None)
            reason = self._reason(kind, count, unit)
            if reason is not None or unit is None:
                return self._refused(reason)
            used[unit] = self.rates[unit].at(usage.input_tokens)
            amount = EXACT.add(amount, per_million(used[unit], count))
        return self._priced(amount, used)

    def _refused(self, reason: Optional[str]) -> PricedCall:
        return PricedCall(reason=reason, source=self.source, table_version=self.table_version)

    def _reason(self, kind: str, count: int, unit: Optional[str]) -> Optional[str]:
        if count < 0:
            return "token counts do not add up"
        if self.tier is not None and unit not in self.tier:
            return "tier without a rate"
        return None if unit is not None else f"no rate for {kind} tokens"

    def _priced(self, amount: Decimal, used: dict[str, Decimal]) -> PricedCall:
        for unit, power in REQUEST_RATES.items():
            if unit in self.rates:
                used[unit] = self.rates[unit].base
                amount = EXACT.add(amount, used[unit].scaleb(power, EXACT))
        return PricedCall(
            amount=amount,
            rates=used,
            source=self.source,
            table_version=self.table_version,
            currency=self.currency,
        )


def per_million(rate: Decimal, count: int) -> Decimal:
    """What `count` tokens cost at the price of a million, exactly."""
    return EXACT.multiply(rate, Decimal(count)).scaleb(-6, EXACT)
