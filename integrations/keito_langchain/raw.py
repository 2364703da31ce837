"""What a provider's own report says beyond the common `usage_metadata`. Packages hand it on with whole answers only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Optional

from keito.metering import Usage
from keito.metering.dialects import anthropic
from keito.metering.dialects.costs import reported_cost
from keito.metering.dialects.counts import Counts
from keito.metering.dialects.reading import amount, field, members

_OPENROUTER = "openrouter"


def raw_usage(about: Mapping[str, Any], output: Mapping[str, Any]) -> Any:
    """The provider's own counts, in whichever dialect they are; nothing, if there are none."""
    return about.get("token_usage") or about.get("usage") or output.get("token_usage") or output.get("usage")


def tier_in(raw: object) -> Optional[str]:
    """Anthropic's tier, fast mode and place of inference, which stand beside its counts."""
    return anthropic.tier_of(raw) if _is_anthropic(raw) else None


def with_kinds(usage: Optional[Usage], raw: object) -> Optional[Usage]:
    """The usage with what Anthropic charges for beside its tokens: searches, and work in other models."""
    kinds = anthropic.beside(Counts(raw)) if usage is not None and _is_anthropic(raw) else None
    return replace(usage, other_kinds=tuple(sorted({*usage.other_kinds, *kinds}))) if usage and kinds else usage


def cost_in(raw: object, about: Mapping[str, Any]) -> Optional[Decimal]:
    """What the provider says that the call cost, in US dollars."""
    provider = about.get("model_provider")
    if provider == _OPENROUTER and "cost" in about:
        return reported_cost({**about, "is_byok": _is_byok(about)}, _OPENROUTER)
    return reported_cost(raw, provider) if raw else None


def _is_byok(about: Mapping[str, Any]) -> bool:
    """Whether OpenRouter used a key of the user's, which langchain-openrouter leaves out.

    It adds nothing to the providers' prices, so that only its fee for such a key is less than the provider's charge.
    """
    charged, upstream = amount(about["cost"]), amount(field(about, "cost_details", "upstream_inference_cost"))
    return charged is not None and upstream is not None and charged < upstream


def _is_anthropic(raw: object) -> bool:
    return "cache_creation_input_tokens" in members(raw)
