"""One entry of a price table of the user's own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Optional, Union

from keito.pricing.rates import Rate

UNITS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_5m": "cache_write_5m_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "reasoning": "output_reasoning_mtok",
    "input_audio": "input_audio_mtok",
    "output_audio": "output_audio_mtok",
    "input_image": "input_image_mtok",
    "output_image": "output_image_mtok",
    "request": "request",
}
"""The fields that are rates, and the units under which a priced call shows them."""

_MOST_DIGITS = 30
_EARLIEST = datetime.min.replace(tzinfo=timezone.utc)
_LATEST = datetime.max.replace(tzinfo=timezone.utc)


class PriceTableError(ValueError):
    """A price table is wrong; the message names the file, the entry and the field."""


@dataclass(frozen=True)
class ModelPrice:
    """What one model, or all models whose names begin alike, cost by the user's own price list.

    Rates are `Decimal`, in the table's currency, for a million tokens. A rate of 0 is a price: the tokens cost
    nothing. A rate that is left out is no price: a call that used such tokens is not priced.

    Attributes:
        model: The model's id, or with a `*` at its end the beginning of the ids.
        provider: Only when this provider serves it; by default whoever does.
        input: Input that is neither from the cache, nor written to it, nor sound or images.
        output: Output, reasoning included.
        cache_read: Input that was read from the provider's cache.
        cache_write: Input that was written to the cache, for 5 minutes or for a time that nobody said.
        cache_write_5m: The same, for 5 minutes, where it has a price of its own.
        cache_write_1h: The same, for 1 hour.
        reasoning: Output that the user does not see, where it has a price of its own.
        input_audio: Input that was sound.
        output_audio: Output that is sound.
        input_image: Input that was images. Google's Gemini needs none: it charges for them as for text.
        output_image: Output that is images.
        request: The price of a call itself, beside its tokens.
        tier: Only in this service tier, such as `batch`; by default in the standard tier only.
        valid_from: From this day (at 0:00 UTC) or moment on, by the start of the call; by default always.
        valid_until: Before this day or moment; by default for ever.

    Raises:
        PriceTableError: A field is wrong; the message names it.
    """

    model: str
    provider: Optional[str] = None
    input: Optional[Decimal] = None
    output: Optional[Decimal] = None
    cache_read: Optional[Decimal] = None
    cache_write: Optional[Decimal] = None
    cache_write_5m: Optional[Decimal] = None
    cache_write_1h: Optional[Decimal] = None
    reasoning: Optional[Decimal] = None
    input_audio: Optional[Decimal] = None
    output_audio: Optional[Decimal] = None
    input_image: Optional[Decimal] = None
    output_image: Optional[Decimal] = None
    request: Optional[Decimal] = None
    tier: Optional[str] = None
    valid_from: Union[date, datetime, None] = None
    valid_until: Union[date, datetime, None] = None

    def __post_init__(self) -> None:
        for name in ("model", "provider", "tier"):
            _check_text(name, getattr(self, name), needed=name == "model")
        self._check_star()
        for name in UNITS:
            object.__setattr__(self, name, _rate(name, getattr(self, name)))
        if not self.rates:
            raise PriceTableError(f"no rate at all: give one or more of {', '.join(UNITS)}")
        if self.starts >= self.ends:
            raise PriceTableError(f"valid_until: {self.valid_until} is not after valid_from {self.valid_from}")

    def _check_star(self) -> None:
        if "*" in self.model[:-1]:
            raise PriceTableError(f"model: {self.model!r} has a * before its end")
        if self.model == "*" and self.provider is None:
            raise PriceTableError("model: '*' is every model there is; give a provider with it")

    @property
    def is_prefix(self) -> bool:
        """Whether the entry is for all models whose names begin so."""
        return self.model.endswith("*")

    @property
    def rates(self) -> dict[str, Rate]:
        """The rates that are given, by unit."""
        given = {unit: getattr(self, name) for name, unit in UNITS.items()}
        return {unit: Rate(rate) for unit, rate in given.items() if rate is not None}

    @property
    def starts(self) -> datetime:
        """The first moment at which the entry holds."""
        return _EARLIEST if self.valid_from is None else _moment("valid_from", self.valid_from)

    @property
    def ends(self) -> datetime:
        """The first moment at which it no longer holds."""
        return _LATEST if self.valid_until is None else _moment("valid_until", self.valid_until)


FIELDS = tuple(field.name for field in fields(ModelPrice))


def _check_text(name: str, value: Any, needed: bool) -> None:
    if value is None and not needed:
        return
    if not isinstance(value, str) or not value.strip():
        raise PriceTableError(f"{name}: {value!r} is not a name")


def _rate(name: str, value: Any) -> Optional[Decimal]:
    if value is None:
        return None
    if isinstance(value, float):
        raise PriceTableError(f"{name}: {value!r} is a float, which is not exact; write Decimal('{value!r}')")
    if not isinstance(value, (Decimal, int)) or isinstance(value, bool):
        raise PriceTableError(f"{name}: {value!r} is not a number")
    rate = Decimal(value)
    if not rate.is_finite() or rate < 0:
        raise PriceTableError(f"{name}: {value} is not a price: it must be 0 or more")
    if len(rate.as_tuple().digits) > _MOST_DIGITS or abs(rate.adjusted()) > _MOST_DIGITS:
        raise PriceTableError(f"{name}: {value} has more than {_MOST_DIGITS} digits")
    return rate


def _moment(name: str, value: Any) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise PriceTableError(f"{name}: {value} has no time zone; write a date, or a time with its offset")
        return value
    if not isinstance(value, date):
        raise PriceTableError(f"{name}: {value!r} is not a date")
    return datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
