"""A price table of the user's own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from os import PathLike
from typing import Any, Callable, NamedTuple, Optional, Union

from keito.pricing.kinds import images_are_text
from keito.pricing.model_price import ModelPrice, PriceTableError
from keito.pricing.names import is_fine_tuned, normalise, provider_id
from keito.pricing.rates import RateSet
from keito.pricing.snapshots import undated
from keito.pricing.tiers import tier_name

OWN_PRICES = "own prices"

_ModelKey = tuple[str, Optional[str]]


class _Candidate(NamedTuple):
    """An entry that names a model: when it holds, in which tier, what it names, and its rates."""

    starts: datetime
    ends: datetime
    tier: Optional[str]
    key: _ModelKey
    rates: RateSet


@dataclass(frozen=True)
class PriceTable:
    """A price table of the user's own. What it names is priced by it alone, before any other source.

    An entry names a model by its id, with which it names that model's dated snapshots, or by the beginning of ids
    (`gpt-4o-*`). Where several entries name a model, its own id comes first, then the longest name; of two alike,
    the one with the provider. Names are compared in lower case, without the prefixes of gateways.

    Args:
        prices: The entries.
        currency: ISO code of all rates.
        version: What is recorded with each price as the table's version; by default a digest of its content.

    Raises:
        PriceTableError: The currency is none, or two entries are for the same model at the same time.
    """

    prices: tuple[ModelPrice, ...]
    currency: str = "USD"
    version: Optional[str] = None
    _search: Callable[..., tuple[_Candidate, ...]] = field(init=False, repr=False, compare=False)

    def __init__(self, prices: Iterable[ModelPrice], currency: str = "USD", version: Optional[str] = None) -> None:
        set_field = object.__setattr__
        set_field(self, "prices", tuple(prices))
        set_field(self, "currency", checked_currency(currency))
        self._check_overlaps()
        set_field(self, "version", version or self._digest())
        set_field(self, "_search", lru_cache(maxsize=1024)(self._candidates))

    @classmethod
    def from_toml(cls, path: Union[str, PathLike[str]]) -> PriceTable:
        """Read a table from a TOML file; `examples/own_prices.toml` shows every field.

        Raises:
            PriceTableError: The file is no price table; the message names the file, the entry and the field.
            OSError: The file cannot be read.
            ImportError: Python is older than 3.11 and `tomli` is missing.
        """
        from keito.pricing.table_file import read_toml  # noqa: PLC0415  # needed by those who have a file

        return read_toml(path)

    @classmethod
    def from_json(cls, path: Union[str, PathLike[str]]) -> PriceTable:
        """Read a table from a JSON file, which has the fields of the TOML form; dates are ISO 8601 texts.

        Raises:
            PriceTableError: The file is no price table; the message names the file, the entry and the field.
            OSError: The file cannot be read.
        """
        from keito.pricing.table_file import read_json  # noqa: PLC0415

        return read_json(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return PriceTable, (self.prices, self.currency, self.version)

    def rates(
        self, provider: Optional[str], models: Iterable[Optional[str]], at: datetime, tier: Optional[str] = None
    ) -> Union[RateSet, str, None]:
        """The rates of a model at a moment; a reason when the table names the model and refuses; else `None`.

        Args:
            provider: Who serves the model, under any name.
            models: The names that the model goes by, the served one first.
            at: When the call began, with time zone.
            tier: The service tier, if any.
        """
        named = self._search(provider, tuple(name for name in models if name))
        valid = [candidate for candidate in named if candidate.starts <= at < candidate.ends]
        if not valid:
            return None
        wanted, best = tier_name(tier), valid[0].key
        found = (candidate.rates for candidate in valid if candidate.tier == wanted and candidate.key == best)
        return next(found, "tier without a rate")

    def _candidates(self, provider: Optional[str], names: tuple[str, ...]) -> tuple[_Candidate, ...]:
        """The entries that name the model, the most exact one first."""
        ranked = [(rank, entry) for entry in self.prices for rank in [_rank(entry, provider, names)] if rank]
        ranked.sort(key=lambda pair: pair[0], reverse=True)
        return tuple(self._candidate(entry, normalise(provider, names[0]).provider) for _, entry in ranked)

    def _candidate(self, entry: ModelPrice, provider: Optional[str]) -> _Candidate:
        rates = entry.rates
        text_too = images_are_text(provider, rates)
        found = RateSet(rates, OWN_PRICES, self.version, self.currency, images_are_text=text_too)
        return _Candidate(entry.starts, entry.ends, tier_name(entry.tier), _model_key(entry), found)

    def _check_overlaps(self) -> None:
        alike: dict[object, list[tuple[datetime, int, ModelPrice]]] = {}
        for number, entry in enumerate(self.prices, 1):
            alike.setdefault(_key(entry), []).append((entry.starts, number, entry))
        for entries in alike.values():
            entries.sort(key=lambda one: one[:2])
            for (_, first, one), (begin, second, _) in zip(entries, entries[1:]):
                if begin < one.ends:
                    numbers = " and ".join(str(number) for number in sorted((first, second)))
                    raise PriceTableError(f"prices {numbers}: both are for {one.model!r} at the same time")

    def _digest(self) -> str:
        content = repr((self.currency, sorted(repr(entry) for entry in self.prices)))
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def checked_currency(code: Any) -> str:
    """The code, if it may be one of ISO 4217.

    Raises:
        PriceTableError: It isn't.
    """
    if not isinstance(code, str) or not re.fullmatch(r"[A-Z]{3}", code):
        raise PriceTableError(f"currency: {code!r} is not an ISO code such as 'USD'")
    return code


def _rank(entry: ModelPrice, provider: Optional[str], names: tuple[str, ...]) -> Optional[tuple[int, int, bool, int]]:
    """How exactly the entry names the model: by its id, by how much of it, by its provider, by which of its names."""
    ranks = [
        (length, entry.provider is not None, -place)
        for place, name in enumerate(names)
        for length in [_length(entry, provider, name)]
        if length is not None
    ]
    if not ranks:
        return None
    (exact, length), with_provider, place = max(ranks)
    return exact, length, with_provider, place


def _length(entry: ModelPrice, provider: Optional[str], name: str) -> Optional[tuple[int, int]]:
    """How exactly the entry is for this name; if it is for more, how many of its characters the entry names."""
    called, listed = normalise(provider, name), normalise(entry.provider, entry.model.rstrip("*"))
    theirs = listed.provider or provider_id(entry.provider)
    if theirs is not None and theirs not in (called.provider, provider_id(provider)):
        return None
    if is_fine_tuned(name) and not is_fine_tuned(entry.model):
        return None  # it costs otherwise than the model that it was made from
    names = (called.model, *called.on_bedrock)
    if entry.is_prefix:
        return (0, len(listed.model)) if any(text.startswith(listed.model) for text in names) else None
    if listed.model in names:
        return 2 if listed.model == called.model else 1, 0
    snapshots = [found for text in names for found in [undated(text)] if found is not None]
    return (0, len(listed.model)) if any(base == listed.model for base, _ in snapshots) else None


def _model_key(entry: ModelPrice) -> _ModelKey:
    name = normalise(entry.provider, entry.model)
    return name.model, name.provider or provider_id(entry.provider)


def _key(entry: ModelPrice) -> tuple[_ModelKey, Optional[str]]:
    return _model_key(entry), tier_name(entry.tier)
