"""What the user's own price table decides, and what it leaves to others."""

import copy
import pickle
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito.metering import LLMCall, Usage
from keito.pricing import ModelPrice, PricedCall, PriceTable, PriceTableError, price

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
ONE, TWO, THREE = Decimal(1), Decimal(2), Decimal(3)


def call(model: Optional[str] = "acme-chat", at: datetime = NOON, **fields: Any) -> LLMCall:
    return LLMCall(at, at, **{"served_model": model, "usage": Usage(1_000_000), **fields})


def priced(table: PriceTable, model: Optional[str] = "acme-chat", **fields: Any) -> PricedCall:
    return price(call(model, **fields), table)


def entry(model: str = "acme-chat", **fields: Any) -> ModelPrice:
    return ModelPrice(model, **{"input": ONE, **fields})


def test_a_call_costs_its_tokens_at_the_users_rates() -> None:
    table = PriceTable(
        [entry(output=Decimal("2.5"), cache_read=Decimal("0.1"), reasoning=Decimal(4), request=Decimal("0.001"))],
        currency="EUR",
        version="2026-11",
    )
    usage = Usage(1_000, 500, cache_read_tokens=400, reasoning_tokens=100)
    found = priced(table, usage=usage)
    assert found.amount == Decimal("0.0006") + Decimal("0.00004") + Decimal("0.001") + Decimal("0.0004") + Decimal(
        "0.001"
    )
    assert found.rates == {
        "input_mtok": ONE,
        "output_mtok": Decimal("2.5"),
        "cache_read_mtok": Decimal("0.1"),
        "output_reasoning_mtok": Decimal(4),
        "request": Decimal("0.001"),
    }
    assert (found.source, found.table_version, found.currency) == ("own prices", "2026-11", "EUR")


def test_cache_writes_have_rates_by_their_lifetime() -> None:
    usage = Usage(60, cache_write_tokens=60, cache_write_5m_tokens=20, cache_write_1h_tokens=30)
    one = PriceTable([entry(cache_write=ONE, cache_write_1h=THREE)])
    assert priced(one, usage=usage).amount == Decimal("0.00012")
    three = PriceTable([entry(cache_write=ONE, cache_write_5m=TWO, cache_write_1h=THREE)])
    assert priced(three, usage=usage).amount == Decimal("0.00014")


def test_images_have_a_rate_of_their_own_except_at_google() -> None:
    usage = Usage(1_000_000, input_image_tokens=500_000)
    assert priced(PriceTable([entry(input_image=THREE)]), usage=usage).amount == TWO
    assert priced(PriceTable([entry()]), usage=usage).reason == "no rate for image input tokens"
    assert priced(PriceTable([entry("gemini-x")]), "gemini-x", provider="vertex_ai", usage=usage).amount == ONE


def test_a_rate_of_0_is_a_price_and_a_missing_one_is_none() -> None:
    table = PriceTable([ModelPrice("*", provider="ollama", input=Decimal(0))])
    assert priced(table, "llama3.2", provider="ollama").amount == 0
    refused = priced(table, "llama3.2", provider="ollama", usage=Usage(10, 10))
    assert (refused.amount, refused.reason, refused.source) == (None, "no rate for output tokens", "own prices")


def test_the_table_comes_before_what_the_provider_reported() -> None:
    table = PriceTable([entry()])
    assert priced(table, reported_cost=Decimal(9)).amount == ONE
    assert priced(table, "other", reported_cost=Decimal(9)).amount == Decimal(9)
    assert priced(table, usage=None, reported_cost=Decimal(9)).source == "provider"  # there is nothing to count
    assert priced(table, usage=Usage(1, 1), reported_cost=Decimal(9)).reason == "no rate for output tokens"


def test_a_cached_answer_costs_nothing_whatever_the_table_says() -> None:
    assert priced(PriceTable([entry(request=ONE)]), cached=True).amount == 0


@pytest.mark.parametrize("cost", [Decimal("NaN"), Decimal("-0.1"), Decimal("Infinity"), 0.1])
def test_an_impossible_reported_cost_is_refused(cost: Any) -> None:
    found = price(call(reported_cost=cost))
    assert (found.amount, found.reason) == (None, "the provider reported an impossible cost")


@pytest.mark.parametrize(
    ("models", "name", "expected"),
    [
        (["gpt-4o"], "gpt-4o", "gpt-4o"),
        (["gpt-4o"], "GPT-4o", "gpt-4o"),
        (["gpt-4o"], "azure/gpt-4o", "gpt-4o"),
        (["gpt-4o"], "gpt-4o-2024-08-06", "gpt-4o"),
        (["gpt-4o"], "gpt-4o-mini", None),
        (["gpt-4o"], "gpt-4o-2024-99-06", None),
        (["gpt-4o-*"], "gpt-4o", None),
        (["gpt-4o-*", "gpt-*"], "gpt-4o-mini", "gpt-4o-*"),
        (["gpt-4o*", "gpt-4o-mini"], "gpt-4o-mini", "gpt-4o-mini"),
        (["gpt-4o", "gpt-*"], "gpt-4o-2024-08-06", "gpt-4o"),
        (["gpt-4o", "gpt-4o-*"], "gpt-4o-2024-08-06", "gpt-4o-*"),
        (["gpt-4o", "gpt-4o-2024-08-06"], "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        (["gpt-*"], "ft:gpt-4o:acme::1", None),
        (["gpt-*"], "gpt-4o-mini-2024-07-18.ft-0123", None),
        (["ft:gpt-4o*"], "ft:gpt-4o:acme::1", "ft:gpt-4o*"),
        (["claude-sonnet-4-5"], "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        (["claude-*"], "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-*"),
        (
            ["anthropic.claude-sonnet-4-5-20250929-v1:0", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"],
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            ["anthropic.claude-sonnet-4-5-20250929-v1:0"],
            "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
    ],
)
def test_the_most_exact_entry_counts(models: "list[str]", name: str, expected: Optional[str]) -> None:
    rates = {model: Decimal(place) for place, model in enumerate(models, 1)}
    table = PriceTable([ModelPrice(model, request=rate) for model, rate in rates.items()])
    found = table.rates(None, [name], NOON)
    assert found is None if expected is None else found.rates["request"].base == rates[expected]


def test_the_requested_name_counts_where_the_served_one_is_not_named() -> None:
    table = PriceTable([entry("my-deployment")])
    found = price(call("acme-large-2026-01-01", requested_model="my-deployment"), table)
    assert found.amount == ONE
    both = PriceTable([entry("my-deployment"), entry("acme-large", input=TWO)])
    assert price(call("acme-large", requested_model="my-deployment"), both).amount == TWO


def test_an_entry_with_a_provider_is_for_that_provider() -> None:
    table = PriceTable([entry("gpt-4o"), entry("gpt-4o", provider="azure_openai", input=TWO)])
    assert priced(table, "gpt-4o", provider="openai").amount == ONE
    assert priced(table, "gpt-4o", provider="azure").amount == TWO
    assert priced(table, "azure/gpt-4o", provider="litellm").amount == TWO


def test_an_entry_of_ones_own_gateway_is_for_all_that_goes_through_it() -> None:
    table = PriceTable([entry("*", provider="litellm")])
    assert priced(table, "azure/gpt-4o", provider="litellm").amount == ONE
    assert priced(table, "acme-chat", provider="acme").amount is None


def test_tiers_have_entries_of_their_own() -> None:
    table = PriceTable([entry(), entry(tier="Batch", input=Decimal("0.5"))])
    assert priced(table, tier="default").amount == ONE
    assert priced(table, tier="batch").amount == Decimal("0.5")
    assert priced(table, tier="flex").reason == "tier without a rate"


def test_validity_begins_with_a_moment_and_ends_before_one() -> None:
    table = PriceTable([
        entry(valid_from=date(2026, 1, 1), valid_until=date(2026, 7, 1)),
        entry(valid_from=date(2026, 7, 1), input=TWO),
    ])  # fmt: skip
    first, second = datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 7, 1, tzinfo=timezone.utc)
    tick = timedelta(microseconds=1)
    assert priced(table, at=first - tick).amount is None
    assert [priced(table, at=at).amount for at in (first, second - tick, second)] == [ONE, ONE, TWO]
    abroad = timezone(timedelta(hours=-5))
    assert priced(table, at=datetime(2026, 6, 30, 19, tzinfo=abroad)).amount == TWO  # it is July in UTC


@given(st.integers(0, 730 * 24 * 3600))
def test_at_every_moment_one_entry_holds(seconds: int) -> None:
    at = datetime(2025, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)
    days = [date(2025, 1, 1), date(2025, 8, 8), date(2026, 2, 1), date(2027, 1, 2)]
    table = PriceTable([
        entry(valid_from=start, valid_until=end, input=Decimal(place))
        for place, (start, end) in enumerate(zip(days, days[1:]))
    ])  # fmt: skip
    expected = sum(at.date() >= day for day in days) - 1
    assert priced(table, at=at).amount == expected


rates = st.decimals(0, 10_000, places=9)
counts = st.integers(0, 10**9)


@given(rates, rates, rates, rates, counts, counts, counts, counts)
def test_the_amount_is_exact_whatever_precision_the_program_works_with(
    plain: Decimal, read: Decimal, out: Decimal, thought: Decimal, a: int, b: int, c: int, d: int
) -> None:
    table = PriceTable([ModelPrice("acme-chat", input=plain, cache_read=read, output=out, reasoning=thought)])
    usage = Usage(a + b, c + d, cache_read_tokens=b, reasoning_tokens=d)
    with localcontext() as context:
        context.prec = 3
        found = priced(table, usage=usage)
    if not usage.total_tokens:
        assert found.reason == "no usage"
        return
    assert found.amount is not None
    assert found.amount >= 0
    nanos = sum(int(rate.scaleb(9)) * count for rate, count in ((plain, a), (read, b), (out, c), (thought, d)))
    assert found.amount == Decimal(nanos).scaleb(-15)
    assert {type(rate) for rate in found.rates.values()} <= {Decimal}


@given(st.text(min_size=1), st.one_of(st.none(), st.text()), st.one_of(st.none(), st.text()))
def test_no_name_breaks_the_lookup(model: str, provider: Optional[str], tier: Optional[str]) -> None:
    found = priced(PriceTable([entry("*", provider="ollama")]), model, provider=provider, tier=tier)
    assert (found.amount is None) != (found.reason is None)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": ""}, "model: '' is not a name"),
        ({"model": "gpt-*-mini"}, "model: 'gpt-*-mini' has a * before its end"),
        ({"model": "*"}, "give a provider with it"),
        ({"provider": " "}, "provider: ' ' is not a name"),
        ({"input": 0.15}, "input: 0.15 is a float, which is not exact; write Decimal('0.15')"),
        ({"input": Decimal(-1)}, "input: -1 is not a price"),
        ({"input": Decimal("NaN")}, "input: NaN is not a price"),
        ({"input": Decimal("1e40")}, "has more than 30 digits"),
        ({"output": True}, "output: True is not a number"),
        ({"input": None}, "no rate at all"),
        ({"valid_from": NOON.replace(tzinfo=None)}, "valid_from: 2026-11-20 12:00:00 has no time zone"),
        ({"valid_until": "2026"}, "valid_until: '2026' is not a date"),
        ({"valid_from": date(2026, 2, 1), "valid_until": date(2026, 2, 1)}, "is not after valid_from"),
    ],
)  # fmt: skip
def test_a_wrong_entry_says_which_field_is_wrong(fields: "dict[str, Any]", said: str) -> None:
    with pytest.raises(PriceTableError) as raised:
        ModelPrice(**{"model": "acme-chat", "input": ONE, **fields})
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({}, {"valid_from": date(2026, 1, 1)}),
        ({"valid_until": date(2026, 2, 2)}, {"valid_from": date(2026, 2, 1)}),
        ({"model": "azure/acme-chat"}, {"provider": "azure_openai"}),
        ({"model": "ACME-chat"}, {}),
        ({"tier": "default"}, {}),
    ],
)  # fmt: skip
def test_two_prices_for_the_same_are_refused(one: "dict[str, Any]", other: "dict[str, Any]") -> None:
    entries = [ModelPrice(**{"model": "acme-chat", "input": ONE, **fields}) for fields in (one, other)]
    with pytest.raises(PriceTableError, match=r"^prices 1 and 2: both are for '.*' at the same time$"):
        PriceTable(entries)


@pytest.mark.parametrize("currency", ["usd", "EURO", "", None])
def test_a_currency_is_an_iso_code(currency: Any) -> None:
    with pytest.raises(PriceTableError, match="currency: "):
        PriceTable([entry()], currency=currency)


def test_a_table_without_a_version_has_a_digest_of_its_content() -> None:
    one, same, other = PriceTable([entry()]), PriceTable([entry()]), PriceTable([entry(output=ONE)])
    assert one.version == same.version != other.version
    assert PriceTable([entry()], currency="EUR").version != one.version


def test_a_table_is_a_value() -> None:
    table = PriceTable([entry()], version="1")
    assert table == pickle.loads(pickle.dumps(table)) == copy.deepcopy(table)
    assert hash(table) == hash(PriceTable([entry()], version="1"))
    assert "_search" not in repr(table)
