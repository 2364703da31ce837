"""Names of service tiers."""

from __future__ import annotations

from typing import Optional

_STANDARD = {"", "standard", "default", "auto", "on_demand", "on-demand"}
_CONTEXTS = {
    "batch": {"processing": "batch"},
    "fast": {"service_tier": "fast", "speed": "fast"},  # OpenAI's name for it, and Anthropic's
}


def tier_name(tier: Optional[str]) -> Optional[str]:
    """The tier in lower case; `None` for the standard one, which has many names."""
    name = (tier or "").strip().lower()
    return None if name in _STANDARD else name


def tier_context(tier: Optional[str]) -> Optional[dict[str, str]]:
    """What selects the rates of a service tier in genai-prices; `None` for the standard tier."""
    name = tier_name(tier)
    return None if name is None else _CONTEXTS.get(name, {"service_tier": name})
