import asyncio
import copy
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from datetime import datetime, timezone
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito.metering import LLMCall, NoUsage, Usage
from keito.metering.call import quick_call
from keito.metering.usage import quick_usage

NOW = datetime(2026, 3, 5, tzinfo=timezone.utc)

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


def test_images_are_parts_as_well() -> None:
    assert Usage(input_tokens=10, input_image_tokens=6, input_audio_tokens=5).problem == "token counts do not add up"
    assert Usage(output_tokens=10, output_image_tokens=10).problem is None


def test_what_is_kept_raw_does_not_add_up() -> None:
    flagged = Usage(input_tokens=10, output_tokens=1, raw='{"input_tokens":10}')
    assert flagged.problem == "token counts do not add up"
    assert (flagged + Usage(1, 1)).raw == flagged.raw


def test_a_sum_names_each_further_kind_once() -> None:
    total = Usage(other_kinds=("video",)) + Usage(other_kinds=("citation", "video"))
    assert total.other_kinds == ("citation", "video")


@pytest.mark.parametrize(
    "kept",
    [
        Usage(1, 2, other_kinds=("video",)),
        LLMCall(NOW, NOW, "openai", usage=Usage(3)),
        quick_usage(1, 2, other_kinds=("video",)),
        quick_call(NOW, NOW, "openai", usage=quick_usage(3)),
    ],
)
def test_what_a_run_keeps_is_small_and_frozen_and_can_be_copied(kept: Any) -> None:
    assert not hasattr(kept, "__dict__")
    with pytest.raises(FrozenInstanceError):
        setattr(kept, fields(kept)[0].name, None)
    for copied in (copy.copy(kept), copy.deepcopy(kept), pickle.loads(pickle.dumps(kept)), replace(kept)):
        assert copied == kept
        assert hash(copied) == hash(kept)
    assert repr(kept).startswith(type(kept).__name__ + "(")


@given(usages(), st.text(), st.booleans())
def test_what_is_made_quickly_is_the_same(usage: Usage, text: str, cached: bool) -> None:
    quick = quick_usage(*(getattr(usage, field.name) for field in fields(Usage)))
    assert (type(quick), quick, hash(quick)) == (Usage, usage, hash(usage))
    call = quick_call(NOW, NOW, text, usage=quick, cached=cached)
    assert (type(call), call) == (LLMCall, LLMCall(NOW, NOW, text, usage=usage, cached=cached))
    with pytest.raises(TypeError, match="started_at"):
        quick_call(ended_at=NOW)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(
    ("error", "answered", "reason"),
    [
        (None, False, NoUsage.NOT_REPORTED),
        (ValueError(), False, NoUsage.FAILED),
        (ValueError(), True, NoUsage.ABORTED),
        (TimeoutError(), False, NoUsage.ABORTED),
        (asyncio.CancelledError(), False, NoUsage.ABORTED),
        (GeneratorExit(), False, NoUsage.ABORTED),
    ],
)
def test_why_a_call_has_no_usage(error: "Optional[BaseException]", answered: bool, reason: NoUsage) -> None:
    assert NoUsage.after(error, answered=answered) is reason
