"""Prices from the genai-prices package."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import Any, Optional

from keito.metering import Usage
from keito.pricing.kinds import genai_counts, missing_rate, used_rates
from keito.pricing.names import is_fine_tuned, normalise
from keito.pricing.priced import PricedCall

SOURCE = "genai-prices"

_STANDARD_TIERS = {"", "standard", "default", "auto", "on_demand"}
_TIER_CONTEXTS = {"batch": ("processing", "batch"), "fast": ("speed", "fast")}
"""How the table calls tiers that are not an OpenAI-style `service_tier`."""


def look_up(
    provider: Optional[str], model: Optional[str], usage: Usage, at: datetime, tier: Optional[str]
) -> PricedCall:
    """The price of `usage` at the moment `at`, or the reason why the table gives none. It never guesses.

    The table knows more names than it should: a fine-tuned model would cost as much as its base model, a tier
    or a kind of token without a rate as much as the standard one. Those are refused here.
    """
    reason = _refusal(model, usage)
    if model is None or reason is not None:
        return PricedCall(reason=reason)
    try:
        found = _calculate(*normalise(provider, model), usage, at, tier_context(tier))
    except ImportError:
        return PricedCall(reason="genai-prices not installed")
    except LookupError:
        return PricedCall(reason="unknown model")
    except ValueError:
        return PricedCall(reason="token counts do not add up")
    return _checked(found, usage, at, tier_context(tier))


def _refusal(model: Optional[str], usage: Usage) -> Optional[str]:
    if not model:
        return "unknown model"
    if is_fine_tuned(model):
        return "fine-tuned model"
    if usage.input_audio_tokens and usage.cache_read_tokens:
        # Cached audio has a rate of its own, and the counts don't say how much of the one is the other.
        return "no rate for cached audio tokens"
    return None


def tier_context(tier: Optional[str]) -> Optional[dict[str, str]]:
    """What selects the rates of a service tier in the table; `None` for the standard tier."""
    name = (tier or "").strip().lower()
    if name in _STANDARD_TIERS:
        return None
    key, value = _TIER_CONTEXTS.get(name, ("service_tier", name))
    return {key: value}


def _calculate(
    provider: Optional[str], model: str, usage: Usage, at: datetime, context: Optional[dict[str, str]]
) -> Any:
    # Imported at the first price: it takes a sixth of a second, and needs Python 3.10.
    import genai_prices  # noqa: PLC0415

    return genai_prices.calc_price(
        genai_prices.Usage(**genai_counts(usage)),
        model,
        provider_id=provider,
        genai_request_timestamp=at,
        price_context=context,
    )


def _checked(found: Any, usage: Usage, at: datetime, context: Optional[dict[str, str]]) -> PricedCall:
    if context is not None and missing_rate(usage, _tier_rates(found, at, context)) is not None:
        return PricedCall(reason="tier without a rate")
    rates = {name: _for_size(rate, usage) for name, rate in _fields(found.model_price).items()}
    missing = missing_rate(usage, rates)
    if missing is not None:
        return PricedCall(reason=f"no rate for {missing} tokens")
    version: str = import_module("genai_prices").__version__
    return PricedCall(found.total_price, rates=used_rates(usage, rates), source=SOURCE, table_version=version)


def _fields(price: object) -> dict[str, Any]:
    return {name: rate for name, rate in vars(price).items() if rate is not None and not name.startswith("_")}


def _for_size(rate: Any, usage: Usage) -> Decimal:
    """A tiered rate goes by the input of the one request, and holds for all of its tokens."""
    prices: list[Decimal] = [getattr(rate, "base", rate)]
    prices += [tier.price for tier in getattr(rate, "tiers", ()) if usage.input_tokens > tier.start]
    return prices[-1]


def _tier_rates(found: Any, at: datetime, context: Mapping[str, str]) -> set[str]:
    """Names of the rates that the tier has of its own. Without them the table answers the standard price."""
    if not any(found.model is model for model in found.provider.models):
        return set()  # the table borrows this model from another provider, and ignores the tier
    active = [
        variant
        for variant in found.model.price_variants or ()
        if (variant.constraint is None or variant.constraint.active(at)) and variant.when.items() <= context.items()
    ]
    return {name for variant in active for name in _fields(variant.prices)}
