"""The price of one model call, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Optional


@dataclass(frozen=True)
class PricedCall:
    """What one model call costs. Exactly one of `amount` and `reason` is `None`.

    Attributes:
        amount: Exact, in `currency`; `None` when keito does not know it. It is 0 only where nothing is charged.
        reason: Why there is no amount, such as "unknown model".
        rates: Price by unit, in `currency`, as the source names them: `input_mtok` is a million input tokens.
        source: Where the amount comes from: `own prices`, `provider` (it reported the cost), `genai-prices` or
            `response cache`. With a reason: whose table refused, if one did.
        table_version: Version of the price table, where there is one.
        currency: ISO code of the amount: that of the user's own table, else `USD`.
    """

    amount: Optional[Decimal] = None
    reason: Optional[str] = None
    rates: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    source: Optional[str] = None
    table_version: Optional[str] = None
    currency: str = "USD"
