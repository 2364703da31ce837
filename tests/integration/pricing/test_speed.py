"""What a price costs the agent, as the benchmark measures it."""

import pytest

from benchmarks.pricing import LIMIT_US, measured

pytest.importorskip("genai_prices")


def test_a_price_takes_a_hundred_microseconds_at_most() -> None:
    assert {case: us for case, us in measured(repeats=200).items() if us > LIMIT_US} == {}
