"""How long it takes to price one model call: `python -m benchmarks.pricing`.

The limit is 100 microseconds. Names and sets of rates are looked up once: the first call of a model takes longer, and
the very first one loads the price table, which is shown apart.
"""

from __future__ import annotations

import sys
import time
import timeit
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Optional

from keito.metering import LLMCall, Usage
from keito.pricing import ModelPrice, PriceTable, price

LIMIT_US = 100.0
AT = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
USAGE = Usage(9_300, 780, cache_read_tokens=3_072, reasoning_tokens=200)
RATES: dict[str, Any] = {"input": Decimal("0.25"), "output": Decimal(2), "cache_read": Decimal("0.025")}
TABLE = PriceTable([ModelPrice("own-model", **RATES), *(ModelPrice(f"own-{i}-*", **RATES) for i in range(200))])


def call(provider: str, model: str, tier: Optional[str] = None) -> LLMCall:
    return LLMCall(AT, AT, provider=provider, requested_model=model, served_model=model, tier=tier, usage=USAGE)


CASES: dict[str, tuple[LLMCall, Optional[PriceTable]]] = {
    "genai-prices": (call("openai", "gpt-5-mini-2025-08-07"), None),
    "rates by size of the request": (call("anthropic", "claude-sonnet-4-5-20250929"), None),
    "rates by time of the day": (call("deepseek", "deepseek-chat"), None),
    "service tier": (call("openai", "gpt-5-mini", "flex"), None),
    "Bedrock": (call("amazon_bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"), None),
    "own prices, 201 entries": (call("acme", "own-150-large"), TABLE),
    "not in one's own prices": (call("openai", "gpt-5-mini"), TABLE),
    "unknown model": (call("acme", "nobody-knows"), TABLE),
}


def measured(repeats: int = 2_000) -> dict[str, float]:
    """Microseconds for one call of each case, the best of five rounds."""
    best: dict[str, float] = {}
    for name, (one, table) in CASES.items():
        price(one, table)
        rounds = timeit.repeat(lambda one=one, table=table: price(one, table), number=repeats, repeat=5)  # type: ignore[misc]
        best[name] = min(rounds) / repeats * 1e6
    return best


def main() -> int:
    begin = time.perf_counter()
    price(CASES["genai-prices"][0])
    print(f"{'the first price of a process':<32}{(time.perf_counter() - begin) * 1e3:8.1f} ms")
    results = measured()
    for name, us in results.items():
        print(f"{name:<32}{us:8.1f} us  {'kept' if us <= LIMIT_US else 'MISSED'}")
    return int(max(results.values()) > LIMIT_US)


if __name__ == "__main__":
    sys.exit(main())
