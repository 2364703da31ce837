from typing import Any, Optional
from uuid import uuid4

import pytest

pytest.importorskip("langchain_core")

from hypothesis import given
from hypothesis import strategies as st
from keito_langchain.counted import plain_usage
from keito_langchain.usage import Answer, read_answer
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

from keito.metering import Usage
from keito.metering.dialects import langchain


def chat(message: AIMessage, output: "Optional[dict[str, Any]]" = None) -> LLMResult:
    return LLMResult(generations=[[ChatGeneration(message=message)]], llm_output=output)


def read_counted(usage_metadata: Any) -> Optional[Usage]:
    """What is read of a message whose usage a provider's package made, which pydantic would not let through."""
    message = AIMessage("")
    message.usage_metadata = usage_metadata
    return read_answer(chat(message)).usage


def counted(tokens_in: int, tokens_out: int, **details: Any) -> Any:
    return {"input_tokens": tokens_in, "output_tokens": tokens_out, "total_tokens": tokens_in + tokens_out, **details}


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        ({}, {}, {}),
        ({"cache_read": 40, "cache_creation": 10}, {}, {"cache_read_tokens": 40, "cache_write_tokens": 10}),
        (
            {"cache_creation": 0, "ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 5},
            {},
            {"cache_write_tokens": 15, "cache_write_5m_tokens": 10, "cache_write_1h_tokens": 5},
        ),
        (
            {"cache_creation": 15, "ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 5},
            {},
            {"cache_write_tokens": 15, "cache_write_5m_tokens": 10, "cache_write_1h_tokens": 5},
        ),
        ({"audio": 7}, {"audio": 3}, {"input_audio_tokens": 7, "output_audio_tokens": 3}),
        ({}, {"reasoning": 5}, {"reasoning_tokens": 5}),
        ({"flex_cache_read": 40, "flex": 60}, {"flex": 20}, {"cache_read_tokens": 40}),
        ({"flex": 100}, {"flex_reasoning": 5, "flex": 15}, {"reasoning_tokens": 5}),
        ({"priority_cache_creation": 9}, {}, {"cache_write_tokens": 9}),
        ({"text": 60, "image": 40}, {"video": 1}, {"input_image_tokens": 40, "other_kinds": ("video",)}),
        ({"image": 0, "cache_read": None}, {}, {}),
    ],
)  # fmt: skip
def test_details_of_usage_metadata(inputs: Any, outputs: Any, expected: "dict[str, Any]") -> None:
    usage = read_counted(counted(100, 20, input_token_details=inputs, output_token_details=outputs))
    assert usage == Usage(input_tokens=100, output_tokens=20, **expected)
    assert usage is not None
    assert usage.problem is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, None),
        ({}, None),
        ("many", None),
        ({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}, Usage(9, 3)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": None},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            Usage(9, 3, cache_read_tokens=4, reasoning_tokens=2),
        ),
        # Anthropic counts its cache beside the input.
        (
            {"input_tokens": 5, "output_tokens": 3, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 20},
            Usage(35, 3, cache_read_tokens=10, cache_write_tokens=20),
        ),
    ],
)
def test_a_providers_own_dictionary(raw: object, expected: Optional[Usage]) -> None:
    assert read_answer(chat(AIMessage("", response_metadata={"token_usage": raw}))).usage == expected


def test_usage_metadata_comes_first_then_the_response_then_the_output() -> None:
    raw = {"token_usage": {"prompt_tokens": 2, "completion_tokens": 2}}
    output = {"token_usage": {"prompt_tokens": 3, "completion_tokens": 3}, "model_name": "from-output"}
    first = AIMessage("", usage_metadata=counted(1, 1), response_metadata={**raw, "model_name": "served"})
    assert read_answer(chat(first, output)) == Answer(usage=Usage(1, 1), model="served", started=True)
    assert read_answer(chat(AIMessage("", response_metadata=raw), output)).usage == Usage(2, 2)
    assert read_answer(chat(AIMessage(""), output)) == Answer(Usage(3, 3), model="from-output", started=True)


@pytest.mark.parametrize(
    ("message", "output", "expected"),
    [
        (AIMessage("", response_metadata={"id": "resp_1"}, id="msg_1"), None, "resp_1"),
        (AIMessage("", id="lc_run--1"), {"id": "chatcmpl-1"}, "chatcmpl-1"),
        (AIMessage("", id="msg_1"), None, "msg_1"),
        (AIMessage("", id="lc_run--1"), None, None),
        (AIMessage("", id="run-1"), None, None),
        (AIMessage("", id="lc_1"), None, None),
    ],
)
def test_the_providers_id_of_the_answer(message: AIMessage, output: Any, expected: Optional[str]) -> None:
    assert read_answer(chat(message, output)).response_id == expected


def test_what_does_not_add_up_is_kept_as_it_was() -> None:
    usage = read_counted({"input_tokens": 5, "output_tokens": 1, "total_tokens": 60})
    assert usage is not None
    assert (usage.problem, usage.raw) == (
        "token counts do not add up",
        '{"input_tokens":5,"output_tokens":1,"total_tokens":60}',
    )


def test_zeros_are_no_usage() -> None:
    assert read_answer(chat(AIMessage("", usage_metadata=counted(0, 0)))).usage is None


def test_the_tier_is_named_by_the_response_or_by_the_details() -> None:
    named = AIMessage("", usage_metadata=counted(1, 1), response_metadata={"service_tier": "batch"})
    assert read_answer(chat(named)).tier == "batch"
    prefixed = AIMessage("", usage_metadata=counted(1, 1, output_token_details={"priority": 1}))
    assert read_answer(chat(prefixed)).tier == "priority"


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("name", ["gpt-5-mini-2025-08-07", "gpt-4.4", "o3"])
def test_a_name_that_several_chunks_say_is_one(name: str, times: int) -> None:
    about = {"model_name": name * times, "service_tier": "default" * times, "model_provider": "openai" * times}
    answer = read_answer(chat(AIMessage("", usage_metadata=counted(1, 1), response_metadata=about)))
    assert (answer.tier, answer.provider) == ("default", "openai")
    assert answer.model == (name if len(name) > 2 else name * times), "what is short may be a name by itself"


@pytest.mark.parametrize("odd", [["gpt-5-mini"], {"name": "gpt-5-mini"}, 7, b"gpt-5-mini", object()])
def test_what_is_no_text_is_no_name(odd: object) -> None:
    about = {"model_name": odd, "service_tier": odd, "model_provider": odd}
    answer = read_answer(chat(AIMessage("", usage_metadata=counted(1, 1), response_metadata=about)))
    assert (answer.model, answer.tier, answer.provider, answer.usage is not None) == (None, None, None, True)


@pytest.mark.parametrize(
    ("message", "cached"),
    [
        (AIMessage("", usage_metadata={**counted(1, 1), "total_cost": 0}), True),
        (AIMessage("", usage_metadata=counted(1, 1)), False),
        # LangChain writes this where the answer in its cache has no usage.
        (AIMessage("").model_copy(update={"usage_metadata": {"total_cost": 0}}), True),
        (AIMessage("", id="chatcmpl-1"), False),
        # A model that hands on another model's message has paid for it.
        (AIMessage("", id=f"lc_run--{uuid4()}-0"), False),
        (AIMessage("", id=f"lc_run--{uuid4()}-0", usage_metadata=counted(1, 1)), False),
    ],
)
def test_answers_from_the_cache(message: AIMessage, cached: bool) -> None:
    assert read_answer(chat(message)).cached is cached


def test_text_models_report_all_prompts_with_the_first() -> None:
    tokens = {"prompt_tokens": 9, "total_tokens": 9}
    first = LLMResult(generations=[[Generation(text="a")]], llm_output={"token_usage": tokens})
    other = LLMResult(generations=[[Generation(text="b")]], llm_output={"token_usage": {}})
    assert read_answer(first).usage == Usage(9, 0)
    assert not read_answer(first).counted_elsewhere
    assert read_answer(other).counted_elsewhere


def test_nothing_is_read_from_nothing() -> None:
    assert read_answer(None) == Answer()
    assert read_answer(LLMResult(generations=[])) == Answer()
    assert not read_answer(LLMResult(generations=[[], []])).started


@pytest.mark.parametrize(("status", "started"), [(500, False), (429, False), (200, True)])
def test_the_message_that_langchain_makes_of_an_error_is_no_answer(status: int, started: bool) -> None:
    message = AIMessage("", response_metadata={"body": {}, "headers": {}, "status_code": status})
    assert read_answer(chat(message)).started is started


counts = st.one_of(st.integers(-2, 3000), st.sampled_from([0, 1, None, 7.0, "3"]))
details = st.dictionaries(
    st.sampled_from(
        [
            "cache_read",
            "cache_creation",
            "ephemeral_5m_input_tokens",
            "audio",
            "reasoning",
            "flex",
            "flex_reasoning",
            "x",
        ]
    ),
    counts,
    max_size=3,
)
metadata = st.fixed_dictionaries(
    {"input_tokens": counts, "output_tokens": counts, "total_tokens": counts},
    optional={
        "input_token_details": st.one_of(details, st.none()),
        "output_token_details": st.one_of(details, st.none()),
        "total_cost": st.just(0),
    },
)


@given(metadata, st.booleans())
def test_the_quick_reader_says_what_the_careful_one_says_or_nothing(usage: Any, adds_up: bool) -> None:
    if adds_up and isinstance(usage["input_tokens"], int) and isinstance(usage["output_tokens"], int):
        usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]
    quick = plain_usage(usage)
    assert quick is None or quick == langchain.metadata_usage(usage)
    assert quick is None or langchain.tier_of(usage) is None


@pytest.mark.parametrize(
    "usage", [None, {}, [], "many", {"input_tokens": 1}, counted(1, 1, input_token_details=["cache_read"])]
)
def test_the_quick_reader_leaves_strange_things_to_the_careful_one(usage: Any) -> None:
    assert plain_usage(usage) is None


def test_the_quick_reader_reads_what_providers_usually_say() -> None:
    found = plain_usage(counted(100, 20, input_token_details={"cache_read": 40}, output_token_details={"reasoning": 5}))
    assert found == Usage(100, 20, cache_read_tokens=40, reasoning_tokens=5)
