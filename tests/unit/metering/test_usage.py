import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito.metering import Usage

counts = st.integers(min_value=0, max_value=10**9)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    short, long, unspecified = draw(counts), draw(counts), draw(counts)
    read, plain, reasoning, text = draw(counts), draw(counts), draw(counts), draw(counts)
    return Usage(
        input_tokens=plain + read + short + long + unspecified,
        output_tokens=text + reasoning,
        cache_read_tokens=read,
        cache_write_tokens=short + long + unspecified,
        cache_write_5m_tokens=short,
        cache_write_1h_tokens=long,
        reasoning_tokens=reasoning,
    )


@given(usages(), usages())
def test_counts_that_add_up_still_do_when_summed(one: Usage, other: Usage) -> None:
    total = one + other
    assert total.problem is None
    assert total.total_tokens == one.total_tokens + other.total_tokens
    assert total.cache_write_tokens == one.cache_write_tokens + other.cache_write_tokens


@pytest.mark.parametrize(
    "usage",
    [
        Usage(input_tokens=10, cache_read_tokens=11),
        Usage(input_tokens=10, cache_read_tokens=6, cache_write_tokens=5),
        Usage(input_tokens=10, cache_write_tokens=1, cache_write_1h_tokens=2),
        Usage(output_tokens=5, reasoning_tokens=6),
        Usage(input_tokens=5, input_audio_tokens=6),
        Usage(output_tokens=5, output_audio_tokens=6),
    ],
)
def test_a_part_larger_than_its_whole_is_a_problem(usage: Usage) -> None:
    assert usage.problem == "token counts do not add up"


def test_a_negative_count_is_a_problem() -> None:
    assert Usage(input_tokens=-1).problem == "negative token count"
