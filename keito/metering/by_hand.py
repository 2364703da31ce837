"""Model calls and other usage that a program records by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Context, Decimal, InvalidOperation, localcontext
from typing import Any, Optional, Union

from typing_extensions import TypedDict, Unpack

from keito.metering.call import LLMCall, NoUsage
from keito.metering.outcome import IMPOSSIBLE
from keito.metering.text import readable, text_of
from keito.metering.usage import Usage

Number = Union[int, float, str, Decimal]

EXACT = Context(prec=100)
"""For sums and products of money. The caller's own decimal context may round to a few digits."""

_TEXT_LIMIT = 100
"""Characters of the name and unit of a usage."""

_COUNTS = {
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
}


class CallFields(TypedDict, total=False):
    """What may be told of a model call by hand; see `AgentRun.record_llm_call`."""

    provider: Optional[str]
    model: Optional[str]
    input_tokens: Optional[int]
    output_tokens: Optional[int]
    cache_read_tokens: int
    cache_write_tokens: Optional[int]
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    input_image_tokens: int
    output_image_tokens: int
    tier: Optional[str]
    cached: bool
    reported_cost: Optional[Number]
    response_id: Optional[str]
    started_at: Optional[datetime]


def call_of(**given: Unpack[CallFields]) -> LLMCall:
    """The model call that these fields describe.

    Raises:
        ValueError: A count is no whole number, the cost is not a number, or the time has no zone.
    """
    counted = given.get("input_tokens") is not None or given.get("output_tokens") is not None
    now, cost = datetime.now(timezone.utc), given.get("reported_cost")
    return LLMCall(
        started_at=_with_zone(given.get("started_at")) or now,
        ended_at=now,
        provider=text_of(given.get("provider")),
        served_model=text_of(given.get("model")),
        usage=_usage(given) if counted else None,
        no_usage=None if counted else NoUsage.NOT_REPORTED,
        tier=text_of(given.get("tier")),
        cached=given.get("cached", False),
        reported_cost=None if cost is None else exact("reported_cost", cost),
        response_id=text_of(given.get("response_id")),
    )


def _usage(given: CallFields) -> Usage:
    counts: dict[str, Any] = {name: _count(name, count) for name, count in given.items() if name in _COUNTS}
    if given.get("cache_write_tokens") is None:
        counts["cache_write_tokens"] = counts.get("cache_write_5m_tokens", 0) + counts.get("cache_write_1h_tokens", 0)
    return Usage(**counts)


def _count(name: str, value: Any) -> int:
    """A count as providers' clients give it: `None` where there is nothing to count."""
    if value is None:
        return 0
    try:
        whole = int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is a whole number; got {value!r}") from None
    if whole != value:
        raise ValueError(f"{name} is a whole number; got {value!r}")
    return whole


def _with_zone(moment: Optional[datetime]) -> Optional[datetime]:
    if moment is not None and moment.tzinfo is None:
        raise ValueError("started_at has no time zone: prices depend on the moment; use datetime.now(timezone.utc)")
    return moment


@dataclass(frozen=True)
class OtherUsage:
    """Something else than a model call that a run used, added up over the run.

    Attributes:
        name: What, such as `web_search` or `text-embedding-3-small`.
        unit: What is counted, such as `search`, `token` or `page`.
        quantity: How much.
        cost: What it cost in US dollars, as far as the program said; `None` when it never did.
    """

    name: str
    unit: str
    quantity: Decimal
    cost: Optional[Decimal] = None

    @classmethod
    def of(cls, name: str, quantity: Number, unit: str, cost: Optional[Number]) -> OtherUsage:
        """Check what a program gives.

        Raises:
            ValueError: A text is empty or longer than 100 characters, or a number is negative or not finite.
        """
        name, unit = readable(name), readable(unit)
        for what, text in (("name", name), ("unit", unit)):
            if not text.strip() or len(text) > _TEXT_LIMIT:
                raise ValueError(f"the {what} of a usage is 1 to {_TEXT_LIMIT} characters; got {text!r}")
        return cls(name, unit, exact("quantity", quantity), None if cost is None else exact("cost", cost))

    def __add__(self, other: OtherUsage) -> OtherUsage:
        costs = [part for part in (self.cost, other.cost) if part is not None]
        with localcontext(EXACT):
            cost = sum(costs, Decimal(0)) if costs else None
            return OtherUsage(self.name, self.unit, self.quantity + other.quantity, cost)


def exact(what: str, value: Number) -> Decimal:
    """`value` as a decimal number: 0.1 is a tenth, and not the double that is nearest to it.

    Raises:
        ValueError: It is no number, negative, or a million million or more, which no run costs.
    """
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{what} is not a number: {value!r}") from None
    if not amount.is_finite() or not 0 <= amount < IMPOSSIBLE:
        raise ValueError(f"{what} is finite, not negative and below {IMPOSSIBLE:,}; got {value!r}")
    return amount
