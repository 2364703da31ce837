import sys
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keito.metering import LLMCall, NoUsage, Usage
from keito.pricing import PricedCall, price

genai_prices = pytest.importorskip("genai_prices")

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
LONG_WRITE = {"cache_write_tokens": 5, "cache_write_1h_tokens": 5}
EARLIER = datetime(2025, 5, 1, 20, tzinfo=timezone.utc)


def priced(
    provider: Optional[str], model: Optional[str], at: datetime = NOON, tier: Optional[str] = None, **usage: Any
) -> PricedCall:
    return price(LLMCall(at, at, provider=provider, served_model=model, tier=tier, usage=Usage(**usage)))


def test_a_call_costs_its_buckets_at_their_rates() -> None:
    found = priced("openai", "gpt-5-mini-2025-08-07", input_tokens=1000, cache_read_tokens=400, output_tokens=100)
    assert found.amount == Decimal(600) * Decimal("0.25e-6") + Decimal(400) * Decimal("0.025e-6") + Decimal("0.0002")
    assert found.rates == {
        "input_mtok": Decimal("0.25"),
        "cache_read_mtok": Decimal("0.025"),
        "output_mtok": Decimal(2),
    }
    assert (found.source, found.table_version, found.reason) == ("genai-prices", genai_prices.__version__, None)


def test_cache_writes_of_one_hour_have_their_own_rate() -> None:
    usage = {"input_tokens": 100, "output_tokens": 10, "cache_write_tokens": 50, "cache_write_1h_tokens": 20}
    found = priced("anthropic", "claude-sonnet-4-5", **usage)
    assert found.amount == Decimal("0.000001") * (50 * 3 + 20 * 6 + 10 * 15) + Decimal("0.0001125")
    assert "cache_write_1h_mtok" in found.rates


def test_a_count_that_cannot_be_true_does_not_spoil_the_bill() -> None:
    found = priced("openai", "gpt-5-mini", input_tokens=10**19)
    assert (found.amount, found.reason) == (None, "impossible token count")
    assert priced("openai", "gpt-5-mini", input_tokens=10**12).amount == 250_000


def test_reasoning_is_billed_as_output() -> None:
    plain = priced("openai", "gpt-5-mini", input_tokens=10, output_tokens=100)
    assert (
        priced("openai", "gpt-5-mini", input_tokens=10, output_tokens=100, reasoning_tokens=90).amount == plain.amount
    )


def test_size_tiers_go_by_one_request() -> None:
    large = priced("anthropic", "claude-sonnet-4-5", input_tokens=300_000, output_tokens=1)
    small = priced("anthropic", "claude-sonnet-4-5", input_tokens=60_000, output_tokens=1)
    assert large.rates["input_mtok"] == 2 * small.rates["input_mtok"] == Decimal(6)
    assert large.amount is not None
    assert small.amount is not None
    assert large.amount > 5 * small.amount


def test_the_price_is_of_the_time_of_the_call() -> None:
    before, after = priced("openai", "o3", EARLIER, input_tokens=10**6), priced("openai", "o3", input_tokens=10**6)
    assert (before.amount, after.amount) == (Decimal(10), Decimal(2))


@pytest.mark.parametrize("tier", [None, "", "default", "standard", "auto"])
def test_the_standard_tier_has_many_names(tier: Optional[str]) -> None:
    assert priced("openai", "gpt-5-mini", tier=tier, input_tokens=10**6).amount == Decimal("0.25")


@pytest.mark.parametrize(("tier", "amount"), [("flex", "0.125"), ("batch", "0.125"), ("priority", "0.45")])
def test_a_tier_with_its_own_rate_is_priced_by_it(tier: str, amount: str) -> None:
    assert priced("openai", "gpt-5-mini", tier=tier, input_tokens=10**6).amount == Decimal(amount)


@pytest.mark.parametrize(
    ("provider", "model", "tier", "usage", "reason"),
    [
        ("openai", "gpt-17-ultra", None, {}, "unknown model"),
        ("openai", None, None, {}, "unknown model"),
        ("ollama", "gpt-oss:20b", None, {}, "unknown model"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", None, {}, "fine-tuned model"),
        ("openai", "gpt-5-mini", "scale", {}, "tier without a rate"),
        ("azure", "gpt-5-mini", "flex", {}, "tier without a rate"),
        ("anthropic", "claude-3-haiku-20240307", "priority", {}, "tier without a rate"),
        ("openai", "gpt-4o-audio-preview", None, {"input_audio_tokens": 5}, "no rate for audio input tokens"),
        ("openai", "gpt-4o-audio-preview", None, {"output_audio_tokens": 5}, "no rate for audio output tokens"),
        ("openai", "gpt-5-mini", None, {"cache_write_tokens": 5}, "no rate for cache write tokens"),
        ("openai", "gpt-5-mini", None, LONG_WRITE, "no rate for 1 hour cache write tokens"),
        ("openai", "gpt-5-mini", None, {"other_kinds": ("image",)}, "no rate for image tokens"),
        ("openai", "whisper-1", None, {}, "no rate for input tokens"),
        ("openai", "gpt-5-mini", None, {"cache_read_tokens": 2000}, "token counts do not add up"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused_and_never_zero(
    provider: str, model: Optional[str], tier: Optional[str], usage: "dict[str, Any]", reason: str
) -> None:
    found = priced(provider, model, tier=tier, **{"input_tokens": 1000, "output_tokens": 100, **usage})
    assert (found.amount, found.reason) == (None, reason)


def test_cached_audio_is_not_guessed() -> None:
    usage = {"input_tokens": 100, "cache_read_tokens": 10, "input_audio_tokens": 50, "output_tokens": 1}
    assert priced("openai", "gpt-realtime", **usage).reason == "no rate for cached audio tokens"


def test_images_cost_as_much_as_text_where_the_provider_says_so() -> None:
    usage = {"input_tokens": 1000, "input_image_tokens": 900, "cache_read_tokens": 500}
    found = priced("google_genai", "gemini-2.5-flash", **usage)
    assert found.amount == Decimal(500) * Decimal("0.3e-6") + Decimal(500) * Decimal("0.03e-6")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 1000, "input_image_tokens": 900}, "0.0095"),
        ({"input_tokens": 1000, "input_image_tokens": 900, "cache_read_tokens": 1}, "no rate for cached image tokens"),
        ({"input_tokens": 1000, "output_tokens": 5, "output_image_tokens": 5}, "no rate for image output tokens"),
    ],
)
def test_images_have_rates_of_their_own_elsewhere(usage: "dict[str, int]", expected: str) -> None:
    found = priced("openai", "gpt-image-1", **usage)
    assert found.reason == expected if found.amount is None else found.amount == Decimal(expected)


def test_a_new_kind_of_token_is_not_priced_as_text() -> None:
    handled = {name for name in Usage.__dataclass_fields__ if name.endswith("_tokens")}
    assert handled == {
        "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens",
        "cache_write_1h_tokens", "reasoning_tokens", "input_audio_tokens", "output_audio_tokens",
        "input_image_tokens", "output_image_tokens",
    }  # fmt: skip


@pytest.mark.parametrize("usage", [None, Usage()])
def test_no_usage_has_no_price(usage: Optional[Usage]) -> None:
    call = LLMCall(NOON, NOON, provider="openai", served_model="gpt-5-mini", usage=usage, no_usage=NoUsage.NOT_REPORTED)
    assert (price(call).amount, price(call).reason) == (None, "no usage")


def test_a_response_from_the_cache_costs_nothing() -> None:
    call = LLMCall(NOON, NOON, provider="openai", served_model="nobody-knows", usage=Usage(10, 10), cached=True)
    assert (price(call).amount, price(call).source) == (Decimal(0), "response cache")


def test_what_the_provider_says_wins() -> None:
    call = LLMCall(NOON, NOON, provider="openai", served_model="gpt-5-mini", reported_cost=Decimal("0.123"))
    assert (price(call).amount, price(call).source, price(call).rates) == (Decimal("0.123"), "provider", {})


def test_without_the_package_nothing_is_priced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert priced("openai", "gpt-5-mini", input_tokens=10).reason == "genai-prices not installed"


def test_a_failing_table_is_a_reason_and_no_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("genai_prices.data_snapshot.get_snapshot", broken)
    assert priced("openai", "gpt-5-mini", input_tokens=10).reason == "genai-prices failed (RuntimeError)"


small = st.integers(0, 200_000)


@settings(max_examples=60)
@given(plain=small, read=small, short=small, long=small, text=small, reasoning=small)
def test_the_amount_is_what_the_posted_rates_give(
    plain: int, read: int, short: int, long: int, text: int, reasoning: int
) -> None:
    usage = Usage(
        input_tokens=plain + read + short + long,
        output_tokens=text + reasoning,
        cache_read_tokens=read,
        cache_write_tokens=short + long,
        cache_write_1h_tokens=long,
        reasoning_tokens=reasoning,
    )
    found = price(LLMCall(NOON, NOON, provider="anthropic", served_model="claude-sonnet-4-5", usage=usage))
    if not usage.total_tokens:
        assert found.reason == "no usage"
        return
    buckets = {
        "input_mtok": plain,
        "cache_read_mtok": read,
        "cache_write_mtok": short,
        "cache_write_1h_mtok": long,
        "output_mtok": text + reasoning,
    }
    used = {rate: count for rate, count in buckets.items() if count}
    assert set(found.rates) == set(used)
    assert found.amount == sum(found.rates[rate] * count for rate, count in used.items()) / 10**6
