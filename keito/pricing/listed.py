"""Rates from the genai-prices package."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from importlib import import_module
from typing import Any, Optional, Union, cast

from keito.pricing.kinds import images_are_text
from keito.pricing.names import BEDROCK_VERSION, ModelName, is_fine_tuned, normalise, provider_id
from keito.pricing.rates import Rate, RateSet
from keito.pricing.snapshots import bases, undated
from keito.pricing.tiers import tier_context, tier_name

SOURCE = "genai-prices"
UNKNOWN = "unknown model"

_MOST_RATE_SETS = 64
_SAME_EVERYWHERE = ("gemini", "claude-3-", "claude-4-")
"""Models that cost the same in every area of Vertex AI: https://docs.claude.com/en/api/claude-on-vertex-ai."""

_OPEN_ENDS = ("starts_with", "ends_with", "contains")


def how_to_install() -> str:
    """What to do where genai-prices is missing."""
    if sys.version_info < (3, 10):
        return f"it needs Python 3.10 or newer; this is {sys.version_info[0]}.{sys.version_info[1]}"
    return 'pip install "keito[pricing]"'


class ListedModel:
    """A model of the table, with its rates at any time."""

    def __init__(self, provider: str, model: Any, version: str, has_tiers: bool, released: Optional[datetime]) -> None:
        self._provider = provider
        self.model = model
        self._version = version
        self._has_tiers = has_tiers
        self._released = released
        prices: Any = model.prices
        self._conditional: list[Any] = [] if hasattr(prices, "calc_price") else prices
        self._variants: list[Any] = model.price_variants or []
        self._known: dict[Any, RateSet] = {}

    def rates(self, at: datetime, tier: Optional[str]) -> Union[RateSet, str]:
        """The rates at a moment. They are worked out once for each set of rates that is valid at some time."""
        if self._released is not None and self._released > at:
            return UNKNOWN  # a snapshot with a date in the future is not a model that anybody has called
        valid = tuple(part.constraint is None or part.constraint.active(at) for part in self._parts())
        key = (tier_name(tier), valid)
        if key not in self._known:
            if len(self._known) >= _MOST_RATE_SETS:  # tiers are texts from outside
                self._known.clear()
            self._known[key] = self._rate_set(at, tier_context(tier))
        return self._known[key]

    def _parts(self) -> Iterator[Any]:
        yield from self._conditional
        yield from self._variants

    def _rate_set(self, at: datetime, context: Optional[dict[str, str]]) -> RateSet:
        prices = _units(self.model.get_prices(at, context if self._has_tiers else None))
        rates = {unit: _rate(price) for unit, price in prices.items()}
        own = None if context is None else frozenset(self._units_of_tier(at, context))
        return RateSet(
            rates,
            source=SOURCE,
            table_version=self._version,
            tier=own,
            images_are_text=images_are_text(self._provider, rates),
        )

    def _units_of_tier(self, at: datetime, context: Mapping[str, str]) -> Iterator[str]:
        """What the tier has rates of its own for. For all else the table gives the standard rate, and does not say."""
        for variant in self._variants if self._has_tiers else []:
            valid = variant.constraint is None or variant.constraint.active(at)
            if valid and variant.when.items() <= context.items():
                yield from _units(variant.prices)


class Catalogue:
    """One edition of the table. Models are looked up once by name."""

    def __init__(self, snapshot: Any) -> None:
        self.snapshot = snapshot
        version: str = import_module("genai_prices").__version__
        self._version = f"{version}+{snapshot.timestamp:%Y%m%dT%H%M%S}" if snapshot.from_auto_update else version
        self._providers = {provider.id for provider in snapshot.providers}
        self.find = lru_cache(maxsize=4096)(self._find)

    def _find(self, provider: Optional[str], model: str) -> Union[ListedModel, str]:
        if is_fine_tuned(model):
            return "fine-tuned model"
        name = normalise(provider, model)
        if name.provider is not None and name.provider not in self._providers:
            return UNKNOWN  # the table itself takes `my-openai-proxy` for OpenAI
        found = self._snapshot_of(name)
        whole = replace(name, model=model.strip().lower())
        if whole == name or provider_id(provider) != name.provider:
            return found or UNKNOWN
        other = self._snapshot_of(whole)
        if isinstance(found, ListedModel) and isinstance(other, ListedModel) and found.model is not other.model:
            return UNKNOWN  # Perplexity has a `sonar` and a `perplexity/sonar`, whose prices differ
        return found or other or UNKNOWN

    def _snapshot_of(self, name: ModelName) -> Union[ListedModel, str, None]:
        dated = undated(name.model)
        return self._listed(name, name.model) or (self._listed(name, dated[0]) if dated else None)

    def _listed(self, name: ModelName, model: str) -> Union[ListedModel, str, None]:
        try:
            provider, listed = self.snapshot.find_provider_model(model, None, name.provider, None)
        except LookupError:
            return None
        known_as = _known_as(name, provider.id, listed)
        if known_as is None:
            return None
        if not _has_area(name, provider.id, listed, known_as[0]):
            return f"no rate for area {name.area}"
        own = any(listed is model for model in provider.models)  # else borrowed from another provider, without tiers
        return ListedModel(provider.id, listed, self._version, own, known_as[1])


_catalogue: Optional[Catalogue] = None


def catalogue() -> Catalogue:
    """The edition of the table that is in use: the one of the package, unless the program has set another.

    Raises:
        ImportError: genai-prices is not installed.
    """
    global _catalogue  # noqa: PLW0603  # two threads that do it at once find the same
    # Imported at the first price: it takes a sixth of a second, and needs Python 3.10.
    from genai_prices import data_snapshot  # noqa: PLC0415

    snapshot = data_snapshot.get_snapshot()
    current = _catalogue
    if current is None or current.snapshot is not snapshot:
        current = _catalogue = Catalogue(snapshot)
    return current


def _known_as(name: ModelName, provider: str, listed: Any) -> Optional[tuple[str, Optional[datetime]]]:
    """Under which of its names the table really knows the model, and from when on it can have been called.

    The table finds a model under any name that begins like it: `claude-sonnet-4-5-99990101`, or `gemini-1.5-flash-8b`
    at the price of `gemini-1.5-flash`. Dates and versions may follow a name, and nothing else.
    """
    if provider == "aws" and not _same_version(name.model, listed.id):
        return None
    names = {text.rstrip("-@").lstrip("/") for text in (listed.id.lower(), *_texts(listed.match))}
    for base, day in bases(name.model, provider):
        text = next((text for text in (base, *replace(name, model=base).on_bedrock) if text in names), None)
        if text is not None:
            return text, None if day is None else _begin_of(day)
    return None


def _same_version(name: str, listed: str) -> bool:
    """Whether both are the same version on Bedrock, as far as the name says it. The first is `-v1:0`."""
    major, minor = _version(name)
    first, zeroth = _version(listed)
    return major in {None, first or "1"} and minor in {None, zeroth or "0"}


def _version(name: str) -> tuple[Optional[str], Optional[str]]:
    found = BEDROCK_VERSION.search(name)
    return (found[1], found[2] or found[3]) if found is not None else (None, None)


def _begin_of(day: date) -> datetime:
    """When the day begins where it begins first."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc) - timedelta(hours=14)


def _texts(match: Any) -> Iterator[str]:
    """The names in the conditions by which the table finds a model."""
    for part in (*getattr(match, "or_", ()), *getattr(match, "and_", ())):
        yield from _texts(part)
    for kind in ("equals", *_OPEN_ENDS):
        if hasattr(match, kind):
            yield getattr(match, kind).lower()


def _has_area(name: ModelName, provider: str, listed: Any, known_as: str) -> bool:
    """Whether the price is of that area. Bedrock is dearer in some, and the table knows it for some models only.

    What has no area in its name costs as much as in the United States. Vertex AI is dearer in each area than without
    one, from Claude Sonnet 4.5 on, and the table does not know it.
    """
    if provider == "google" and name.area not in {None, "global"}:
        return bool(listed.id.startswith(_SAME_EVERYWHERE))
    if provider != "aws" or name.area in {None, "us"}:
        return True
    own = "global." if name.area == "global" else "regional."
    return listed.id.startswith(own) or known_as.startswith(f"{name.area}.")


def _units(prices: Any) -> dict[str, Any]:
    units = cast("dict[str, Any]", vars(prices))
    return {unit: price for unit, price in units.items() if price is not None and not unit.startswith("_")}


def _rate(price: Any) -> Rate:
    steps = getattr(price, "tiers", ())
    return Rate(getattr(price, "base", price), tuple((step.start, step.price) for step in steps))
