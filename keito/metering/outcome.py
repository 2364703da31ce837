"""What a run achieved for somebody who pays for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Optional, Union

from keito.metering.text import text_of

EVIDENCE_LIMIT = 2048
"""Bytes of compact UTF-8 JSON. Half of the 4,096 that Keito accepts as metadata, so that an outcome always fits."""

TEXT_LIMIT = 100
"""Characters of an outcome's type."""

_DEPTH_LIMIT = 20
"""Levels of the evidence. What writes and reads JSON gives up at some depth, which differs from place to place."""

Number = Union[int, float, str, Decimal]


IMPOSSIBLE = Decimal(10**12)
"""Amounts from here on are mistakes; one of them must not spoil the bill of everything else."""


@dataclass(frozen=True)
class Outcome:
    """One billable result of an agent's run, such as a resolved ticket.

    Args:
        type: What was achieved: any name, or a member of `keito.OutcomeTypes`.
        unit_price: Price of one, in the currency of the project's client; not given when Keito's own price applies.
        quantity: How many.
        description: Text for the person who reads the invoice; the type stands in for it.
        evidence: Ids and facts that prove it, JSON-ready, at most 2,048 bytes and 20 levels deep. It is posted as
            given.

    Raises:
        ValueError: A value is missing, negative, not finite, not JSON or too large.
    """

    type: str
    unit_price: Optional[Decimal] = None
    quantity: Decimal = Decimal(1)
    description: Optional[str] = None
    evidence: Optional[Mapping[str, Any]] = None

    def __init__(
        self,
        type: str,
        unit_price: Optional[Number] = None,
        quantity: Number = 1,
        description: Optional[str] = None,
        evidence: Optional[Mapping[str, Any]] = None,
    ) -> None:
        # Written by hand so that prices may be given as 0.99 or "0.99" and are Decimal from here on.
        values = {
            "type": _name(type),
            "unit_price": None if unit_price is None else _amount("unit_price", unit_price),
            "quantity": _amount("quantity", quantity),
            "description": text_of(description),
            "evidence": None if evidence is None else _evidence(evidence),
        }
        for field, value in values.items():
            object.__setattr__(self, field, value)


def _name(value: str) -> str:
    name = "" if value is None else str(getattr(value, "value", value)).strip()  # pyright: ignore[reportUnnecessaryComparison]
    if not name or len(name) > TEXT_LIMIT:
        raise ValueError(f"Outcome.type is 1 to {TEXT_LIMIT} characters, such as 'ticket_resolved'; got {value!r}")
    name.encode()  # raises ValueError where UTF-8 cannot carry it
    return name


def _amount(field: str, value: Number) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"Outcome.{field} is not a number: {value!r}") from None
    if not amount.is_finite() or not 0 <= amount < IMPOSSIBLE:
        raise ValueError(f"Outcome.{field} is finite, not negative and below {IMPOSSIBLE:,}; got {value!r}")
    return amount


def _evidence(value: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        text = json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)
        size = len(text.encode())
        # What the caller changes later is no part of the record.
        copied: Mapping[str, Any] = json.loads(text) if size <= EVIDENCE_LIMIT else {}
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"Outcome.evidence is not JSON: {error}") from None
    if size > EVIDENCE_LIMIT:
        raise ValueError(f"Outcome.evidence is {size:,} bytes as JSON; at most {EVIDENCE_LIMIT:,} fit beside the rest")
    if not _is_flat(copied, _DEPTH_LIMIT):
        raise ValueError(f"Outcome.evidence is nested more than {_DEPTH_LIMIT} levels deep")
    return copied


def _is_flat(value: Any, levels: int) -> bool:
    found: Any = value  # which stays of any type
    if not isinstance(value, (dict, list)):
        return True
    items = found.values() if isinstance(value, dict) else found
    return levels > 0 and all(_is_flat(item, levels - 1) for item in items)


def _plain(value: Any) -> float:
    """A number of a TOML file or of a program that is exact about money, as JSON has it."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"a {type(value).__name__} is no JSON")
