"""What only the provider's own report says: its tier, what it charges for beside tokens, and what the call cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

import pytest

pytest.importorskip("langchain_openai")
pytest.importorskip("langchain_anthropic")
pytest.importorskip("genai_prices")

import openai
from langchain_anthropic import ChatAnthropic
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI

from ..providers import CHAT_USAGE, MESSAGE_USAGE, Stub

# The models of these tests are older than the library.
pytestmark = pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning")


@pytest.fixture
def claude(stub: Stub) -> Iterator[Any]:
    model = ChatAnthropic(
        model_name="claude-sonnet-4-5", api_key="k", base_url=stub.url, max_retries=0, timeout=None, stop=None
    )
    yield model
    model._client.close()


@pytest.fixture
def gateway(stub: Stub) -> Iterator[Any]:
    """OpenAI's chat model in front of somebody else's server."""
    http = openai.DefaultHttpxClient()
    clients: Any = {"http_client": http, "max_retries": 0}
    yield ChatOpenAI(model="openai/gpt-5-mini", api_key="k", base_url=f"{stub.url}/v1", **clients)
    http.close()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"service_tier": "priority"}, "tier without a rate"),
        ({"inference_geo": "us"}, "tier without a rate"),
        ({"speed": "fast"}, "tier without a rate"),
        ({"server_tool_use": {"web_search_requests": 2}}, "no rate for web_search tokens"),
        ({"iterations": [{"type": "compaction"}, {"type": "message"}]}, "no rate for compaction iteration tokens"),
    ],
    ids=["priority", "area", "fast", "searches", "compaction"],
)
def test_what_claude_charges_more_for_is_not_billed_as_plain_tokens(
    claude: Any, stub: Stub, config: Any, bill: Any, said: dict[str, Any], reason: str
) -> None:
    stub.usage = {**MESSAGE_USAGE, **said}
    claude.invoke("hi", config)
    found = bill()
    assert found.expenses == []
    assert [gap["reason"] for gap in found.facts["unpriced"]] == [reason]
    assert found.tokens == [(720, 100)]


@pytest.mark.parametrize(
    ("said", "cost"),
    [
        ({"cost": 0.00123, "is_byok": False}, "0.00123"),  # OpenRouter
        ({"cost": 0.0001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.002}}, "0.0021"),
        ({"cost_in_usd_ticks": 12_300_000}, "0.00123"),  # xAI
        ({"cost": {"total_cost": 0.00123}}, "0.00123"),  # Perplexity
        ({"cost": 9.9}, "0.00036"),  # in nobody knows which currency: the list's price
    ],
)
def test_the_cost_that_the_provider_reports_comes_before_the_price_list(
    gateway: Any, stub: Stub, config: Any, bill: Any, said: dict[str, Any], cost: str
) -> None:
    stub.usage = {**CHAT_USAGE, **said}
    gateway.invoke("hi", config)
    assert bill().cost == [cost]


@pytest.mark.parametrize(
    ("charge", "upstream", "cost"),
    [(0.00123, None, "0.00123"), (0.00123, 0.00123, "0.00123"), (0.0001, 0.002, "0.0021"), (0, 0.002, "0.002")],
    ids=["plain", "with details", "own key", "own key without a fee"],
)
def test_the_cost_that_langchain_openrouter_hands_on(
    model: Any, config: Any, bill: Any, charge: float, upstream: Optional[float], cost: str
) -> None:
    cached = model(provider="openrouter", requested="some/model", served=None, cache=InMemoryCache())
    about = {"model_provider": "openrouter", "cost": charge, "cost_details": {"upstream_inference_cost": upstream}}
    object.__setattr__(cached, "_about", lambda: about)
    cached.invoke("hi", config)
    cached.invoke("hi", config)  # from the cache, at no cost
    found = bill()
    assert found.cost == [cost]
    assert sorted(entry.metadata["keito"].get("cached_calls", 0) for entry in found.time) == [0, 1]


def test_a_report_that_is_no_dictionary_costs_no_more_than_itself(model: Any, config: Any, bill: Any) -> None:
    odd = model(script=[AIMessage("ok")])
    object.__setattr__(odd, "_about", lambda: {"model_name": "gpt-5-mini", "usage": "many", "cost": "much"})
    odd.invoke("hi", config)
    assert bill().cost == ["0.00045"]
