"""What providers say that a call cost. Only documented fields are read, where their currency is known."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Optional

from keito.metering.dialects.reading import amount, field, members

_EXACT = Context(prec=40)
"""The caller's own context may round to a few digits."""

_COSTS = {"cost", "cost_in_usd_ticks"}


def reported_cost(usage: object, provider: Optional[str] = None) -> Optional[Decimal]:
    """The cost in US dollars that `usage` names, or `None`.

    - xAI: `cost_in_usd_ticks`, ten thousand million to the dollar (https://docs.x.ai/developers/cost-tracking).
    - Perplexity: `cost.total_cost` (https://docs.perplexity.ai/api-reference/chat-completions-post).
    - OpenRouter: `cost`, in credits of one dollar (https://openrouter.ai/docs/use-cases/usage-accounting).

    Gateways of other kinds have a `cost` as well, in whatever currency: that is not read.
    """
    if not _COSTS & members(usage).keys():
        return None
    ticks = amount(field(usage, "cost_in_usd_ticks"))
    if ticks is not None:
        return ticks.scaleb(-10, _EXACT)
    cost = field(usage, "cost")
    total = amount(field(cost, "total_cost"))
    if total is not None:
        return total
    return _openrouter(usage, cost) if provider == "openrouter" or _is_openrouter(usage) else None


def _is_openrouter(usage: object) -> bool:
    return isinstance(field(usage, "is_byok"), bool)


def _openrouter(usage: object, cost: object) -> Optional[Decimal]:
    charged = amount(cost)
    if charged is None or field(usage, "is_byok") is not True:
        return charged
    # With the user's own key the credits are OpenRouter's fee, and the provider charges for the tokens.
    upstream = amount(field(usage, "cost_details", "upstream_inference_cost"))
    return None if upstream is None else _EXACT.add(charged, upstream)
