"""What the calls of one model cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from operator import add, attrgetter
from typing import Any, Optional

from keito.metering import Usage
from keito.metering.by_hand import EXACT

_COUNTS = tuple(field.name for field in fields(Usage) if isinstance(field.default, int))
_counts_of = attrgetter(*_COUNTS)
_NO_COUNTS = (0,) * len(_COUNTS)


class ModelCost:
    """The calls of one model that its provider charges for.

    Attributes:
        provider: Who served it.
        name: The served model.
        calls: How many calls there were.
        amounts: What those cost that have a price, by currency.
        reasons: Why the others have none, and how many there are.
        last_priced: The rates of the last one that has a price.
    """

    def __init__(self, provider: Optional[str], name: str) -> None:
        self.provider = provider
        self.name = name
        self.calls = 0
        self.amounts: dict[str, Decimal] = {}
        self.reasons: dict[str, int] = {}
        self.last_priced: Optional[Mapping[str, Decimal]] = None
        self._counts: tuple[int, ...] = _NO_COUNTS

    @property
    def usage(self) -> Usage:
        """Their tokens, for reading: each call was priced by itself."""
        counts: dict[str, Any] = dict(zip(_COUNTS, self._counts))
        return Usage(**counts)

    def count(self, usage: Usage) -> None:
        """Add tokens."""
        self._counts = tuple(map(add, self._counts, _counts_of(usage)))

    def pay(self, currency: str, amount: Decimal) -> None:
        """Add money."""
        self.amounts[currency] = EXACT.add(self.amounts.get(currency, Decimal(0)), amount)

    def merge(self, other: ModelCost) -> None:
        """Add the calls of another."""
        self.calls += other.calls
        self._counts = tuple(map(add, self._counts, other._counts))
        for currency, amount in other.amounts.items():
            self.pay(currency, amount)
        for reason, count in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count
