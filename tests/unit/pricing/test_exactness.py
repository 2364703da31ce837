"""Money is `Decimal` from the first to the last: our arithmetic is that of genai-prices, and no float is in it."""

import ast
import os
import subprocess
import sys
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito.metering import LLMCall, Usage
from keito.pricing import ModelPrice, PriceTable, price
from keito.pricing.model_price import UNITS

SOURCES = sorted((Path(__file__).parents[3] / "keito" / "pricing").glob("*.py"))
NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
MODELS = [
    ("openai", "gpt-5-mini"),
    ("openai", "o3"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("google", "gemini-2.5-pro"),
    ("deepseek", "deepseek-chat"),
    ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("openrouter", "anthropic/claude-sonnet-4.5"),
    ("perplexity", "sonar-pro"),
    ("perplexity", "sonar-deep-research"),
    ("groq", "openai/gpt-oss-120b"),
    ("x-ai", "grok-4"),
]
counts = st.integers(0, 300_000)


@given(st.sampled_from(MODELS), counts, counts, counts, counts, counts, counts, st.integers(0, 24 * 500))
def test_amounts_are_those_of_genai_prices(
    name: "tuple[str, str]", plain: int, read: int, write: int, long: int, text: int, thought: int, hours: int
) -> None:
    genai_prices = pytest.importorskip("genai_prices")
    provider, model = name
    at = NOON - timedelta(hours=hours)
    usage = Usage(
        input_tokens=plain + read + write + long,
        output_tokens=text + thought,
        cache_read_tokens=read,
        cache_write_tokens=write + long,
        cache_write_1h_tokens=long,
        reasoning_tokens=thought,
    )
    found = price(LLMCall(at, at, provider=provider, served_model=model, usage=usage))
    if found.amount is None:
        assert found.reason == "no usage" or str(found.reason).startswith("no rate for ")
        return
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=read,
            cache_write_tokens=write + long,
            cache_write_1h_tokens=long,
            output_reasoning_tokens=thought,
        ),
        model,
        provider_id=provider,
        genai_request_timestamp=at,
    )
    assert found.amount == theirs.total_price >= 0
    assert {type(rate) for rate in found.rates.values()} == {Decimal}


anything = st.integers(-2, 4)


@given(st.lists(anything, min_size=11, max_size=11), st.sampled_from([None, "{}"]))
def test_counts_that_contradict_each_other_are_never_priced(counts: "list[int]", raw: Optional[str]) -> None:
    names = [field.name for field in fields(Usage) if field.name.endswith("_tokens")]
    usage = Usage(**dict(zip(names, counts)), raw=raw)
    rates = dict.fromkeys(UNITS, Decimal(1))
    for provider in ("acme", "google"):
        table = PriceTable([ModelPrice("m", provider=provider, **rates)])
        found = price(LLMCall(NOON, NOON, provider=provider, served_model="m", usage=usage), table)
        if usage.total_tokens == 0:
            assert found.reason == "no usage"
        elif usage.problem is not None:
            assert found.reason == usage.problem
        elif found.amount is not None:
            assert found.amount == Decimal(usage.total_tokens).scaleb(-6) + 1  # and the price of the request


def test_a_sum_of_calls_is_exact() -> None:
    pytest.importorskip("genai_prices")
    call = LLMCall(NOON, NOON, provider="openai", served_model="gpt-5-nano", usage=Usage(8, 0))
    amounts = [price(call).amount or Decimal(0) for _ in range(10_000)]
    assert sum(amounts, Decimal(0)) == Decimal("0.004")  # of 0.0000004 dollars each


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_float_is_in_the_source(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Div), "a division of Decimals is not exact"
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float))
        assert not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float")


def test_nothing_is_fetched_and_the_table_is_loaded_at_the_first_price() -> None:
    pytest.importorskip("genai_prices")
    code = """
import socket, sys
def refuse(*args, **kwargs): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = refuse
import keito.pricing
assert "genai_prices" not in sys.modules
assert not {"httpx", "pydantic"} & set(sys.modules), "pricing needs neither"
rates = keito.pricing.find_rates("openai", "gpt-5-mini", __import__("datetime").datetime(2026, 11, 20))
assert rates.rates["input_mtok"].base > 0
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    assert (done.returncode, done.stderr) == (0, "")
