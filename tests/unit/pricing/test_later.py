"""Calls that are priced after they were made."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Optional

from keito.metering import LLMCall, Usage
from keito.pricing import ModelPrice, PriceTable, reprice, unknown_models

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
LATER = NOON + timedelta(days=40)
NOT_KNOWN = {"unknown model", "genai-prices not installed"}


def call(model: str, at: datetime = NOON, usage: Optional[Usage] = None, **fields: Any) -> LLMCall:
    return LLMCall(at, at, provider="acme", served_model=model, usage=usage or Usage(1000, 10), **fields)


TABLE = PriceTable(
    [
        ModelPrice("acme-chat", input=Decimal(1), output=Decimal(1), valid_until=LATER),
        ModelPrice("acme-chat", input=Decimal(2), output=Decimal(2), valid_from=LATER),
    ],
    currency="EUR",
)


def test_calls_are_priced_again_each_at_its_own_time() -> None:
    calls = [call("acme-chat"), call("acme-chat", LATER), call("acme-vision"), call("x", reported_cost=Decimal(3))]
    found = reprice(calls, TABLE)
    assert [one for one, _ in found.priced] == [calls[0], calls[1], calls[3]]
    assert [one for one, _ in found.unpriced] == [calls[2]]
    assert found.unpriced[0][1].reason in NOT_KNOWN
    assert found.amounts == {"EUR": Decimal("0.00303"), "USD": Decimal(3)}


def test_nothing_is_priced_without_calls() -> None:
    assert (reprice([]).priced, reprice([]).unpriced, reprice([]).amounts) == ((), (), {})


def test_models_without_a_price_are_listed_with_what_they_used() -> None:
    calls = [
        call("acme-vision"),
        call("acme-chat", LATER),
        call("acme-chat", tier="flex"),
        call("acme-chat"),
        call("acme-chat", tier="flex", usage=Usage(5)),
    ]
    one, other = unknown_models(calls, TABLE)
    assert (one.model, one.tier, one.reason, one.calls) == ("acme-chat", "flex", "tier without a rate", 2)
    assert (one.input_tokens, one.output_tokens, one.first, one.last) == (1005, 10, NOON, NOON)
    assert (other.provider, other.model) == ("acme", "acme-vision")
    assert other.reason in NOT_KNOWN
    without = {(found.model, found.tier): found.calls for found in unknown_models(calls)}
    assert without == {("acme-chat", None): 2, ("acme-chat", "flex"): 2, ("acme-vision", None): 1}


def test_what_no_price_can_help_is_not_listed() -> None:
    assert unknown_models([call("x", usage=Usage()), call("x", usage=Usage(1, cache_read_tokens=2))]) == ()
    assert unknown_models([LLMCall(NOON, NOON, served_model="x"), call("x", cached=True)]) == ()
