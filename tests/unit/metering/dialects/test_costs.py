"""What providers say that a call cost."""

from decimal import Decimal, localcontext
from typing import Any, Optional

import pytest

from keito.metering.dialects import report_of


@pytest.mark.parametrize(
    ("usage", "provider", "cost"),
    [
        ({"cost_in_usd_ticks": 37756000}, None, "0.0037756"),
        ({"cost_in_usd_ticks": 0}, "xai", "0"),
        ({"cost": {"input_tokens_cost": 0.01, "total_cost": 0.0281}}, "perplexity", "0.0281"),
        ({"cost": 0.95}, "openrouter", "0.95"),
        ({"cost": 0}, "openrouter", "0"),
        ({"cost": 0.95, "is_byok": False}, None, "0.95"),
        ({"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.95}}, None, "1.00"),
        # The user's own key, and what the provider charges is not said.
        ({"cost": 0.05, "is_byok": True}, "openrouter", None),
        ({"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, "openrouter", None),
        # Whose cost this is, and in which currency, is not known.
        ({"cost": 0.95}, None, None),
        ({"cost": 0.95}, "openai", None),
        ({"cost": "0.95"}, "openrouter", None),
        ({"cost": -1}, "openrouter", None),
        ({"cost": float("nan")}, "openrouter", None),
        ({"cost": True}, "openrouter", None),
        ({"cost": None}, "openrouter", None),
        ({}, "openrouter", None),
    ],
)
def test_only_documented_costs_are_read(usage: Any, provider: Optional[str], cost: Optional[str]) -> None:
    answer = {"id": "gen-1", "model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 1, **usage}}
    found = report_of(answer, provider).reported_cost
    assert found == (None if cost is None else Decimal(cost))


def test_the_programs_own_decimal_context_rounds_nothing() -> None:
    usage = {"prompt_tokens": 1, "cost_in_usd_ticks": 123456789012345}
    with localcontext() as context:
        context.prec = 2
        assert report_of({"usage": usage}).reported_cost == Decimal("12345.6789012345")
