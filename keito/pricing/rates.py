"""Sets of rates, and what a call's tokens cost by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Optional

from keito.metering import Usage
from keito.metering.outcome import IMPOSSIBLE
from keito.pricing.kinds import KINDS, cached_image, counts_of, is_plain, unpriceable
from keito.pricing.priced import PricedCall

EXACT = Context(prec=100)
"""Products and sums of rates and counts are exact in it, whatever precision the program has set for itself."""

_NOTHING = Decimal(0)

REQUEST_RATES = {"request": 0, "requests_kcount": -3}
"""Prices of the request itself, and the power of ten of the requests that they are for."""

METERED = frozenset(unit for _, accepted in KINDS for unit in accepted) | frozenset(REQUEST_RATES)
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
        if not self.steps:
            return self.base
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
    _units: tuple[Optional[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        units = tuple(next((unit for unit in accepted if unit in self.rates), None) for _, accepted in KINDS)
        object.__setattr__(self, "_units", units)

    def price(self, usage: Usage) -> PricedCall:
        """What the tokens cost, or why that is not known, such as the first kind of token that has no rate."""
        counts = counts_of(usage, images_are_text=self.images_are_text)
        if not is_plain(usage) or min(counts) < 0:
            reason = self._doubt(usage, counts)
            if reason is not None:
                return self._refused(reason)
        used: dict[str, Decimal] = {}
        amount = _NOTHING
        for kind, count in enumerate(counts):
            if count == 0:
                continue
            unit = self._units[kind]
            if unit is None or (self.tier is not None and unit not in self.tier):
                return self._refused(self._missing(kind))
            used[unit] = rate = self.rates[unit].at(usage.input_tokens)
            amount = EXACT.fma(rate, count, amount)
        amount = amount.scaleb(-6, EXACT)
        return self._priced(amount, used) if amount < IMPOSSIBLE else self._refused("impossible token count")

    def _doubt(self, usage: Usage, counts: tuple[int, ...]) -> Optional[str]:
        reason = unpriceable(usage)
        if reason is None and min(counts) < 0:
            return "token counts do not add up"
        if reason is None and cached_image(usage) and not self.images_are_text:
            return "no rate for cached image tokens"
        return reason

    def _missing(self, kind: int) -> str:
        return f"no rate for {KINDS[kind][0]} tokens" if self.tier is None else "tier without a rate"

    def _refused(self, reason: str) -> PricedCall:
        return PricedCall(reason=reason, source=self.source, table_version=self.table_version)

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
