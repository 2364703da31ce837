"""Answers in the shapes that OpenAI documents, and those of providers that speak its language."""

from decimal import Decimal
from typing import Any

import pytest

from keito.metering import NoUsage, Usage
from keito.metering.dialects import Report, report_of, usage_of

CHAT: "dict[str, Any]" = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-5-mini-2025-08-07",
    "service_tier": "flex",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 1900,
        "completion_tokens": 300,
        "total_tokens": 2200,
        "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 192,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 5,
            "rejected_prediction_tokens": 3,
        },
    },
}
RESPONSE: "dict[str, Any]" = {
    "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    "object": "response",
    "status": "completed",
    "model": "gpt-5-2025-08-07",
    "service_tier": "default",
    "usage": {
        "input_tokens": 36,
        "input_tokens_details": {"cached_tokens": 16, "cache_write_tokens": 8},
        "output_tokens": 87,
        "output_tokens_details": {"reasoning_tokens": 64},
        "total_tokens": 123,
    },
}
USAGE = Usage(1900, 300, cache_read_tokens=1024, reasoning_tokens=192)


def chat(**usage: Any) -> "dict[str, Any]":
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "usage": usage}


def test_a_chat_completion() -> None:
    assert report_of(CHAT) == Report(
        usage=USAGE,
        model="gpt-5-mini-2025-08-07",
        tier="flex",
        response_id="chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    )
    assert report_of(CHAT).no_usage is None


def test_a_response() -> None:
    assert report_of(RESPONSE) == Report(
        usage=Usage(36, 87, cache_read_tokens=16, cache_write_tokens=8, reasoning_tokens=64),
        model="gpt-5-2025-08-07",
        tier="default",
        response_id="resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    )


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete", "response.failed"])
def test_the_last_event_of_a_responses_stream(kind: str) -> None:
    assert report_of({"type": kind, "sequence_number": 9, "response": RESPONSE}) == report_of(RESPONSE)


def test_the_last_chunk_of_a_chats_stream() -> None:
    chunk = {**CHAT, "object": "chat.completion.chunk", "choices": []}
    assert report_of(chunk) == report_of(CHAT)
    assert report_of({**chunk, "usage": None}).no_usage is NoUsage.NOT_REPORTED


def test_embeddings_have_input_only() -> None:
    answer = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }
    assert report_of(answer) == Report(usage=Usage(8), model="text-embedding-3-small", operation="embeddings")


def test_a_text_completion() -> None:
    answer = {"id": "cmpl-1", "object": "text_completion", "model": "gpt-3.5-turbo-instruct", "usage": CHAT["usage"]}
    found = report_of(answer)
    assert (found.usage, found.operation, found.response_id) == (USAGE, "text_completion", "cmpl-1")


def test_images_and_sound() -> None:
    heard = chat(
        prompt_tokens=100,
        completion_tokens=50,
        total_tokens=150,
        prompt_tokens_details={"audio_tokens": 60, "image_tokens": 20, "text_tokens": 20},
        completion_tokens_details={"audio_tokens": 40, "text_tokens": 10},
    )
    assert usage_of(heard) == Usage(100, 50, input_audio_tokens=60, output_audio_tokens=40, input_image_tokens=20)
    drawn = {
        "created": 1713833628,
        "data": [],
        "usage": {
            "total_tokens": 100,
            "input_tokens": 50,
            "output_tokens": 50,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
            "output_tokens_details": {"image_tokens": 50, "text_tokens": 0},
        },
    }
    assert usage_of(drawn) == Usage(50, 50, input_image_tokens=40, output_image_tokens=50)


def test_xai_counts_reasoning_beside_the_completion_and_its_total_shows_it() -> None:
    answer = chat(
        prompt_tokens=32,
        completion_tokens=9,
        total_tokens=135,
        prompt_tokens_details={"text_tokens": 32, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 6},
        completion_tokens_details={"reasoning_tokens": 94, "audio_tokens": 0},
        cost_in_usd_ticks=37756000,
    )
    found = report_of(answer)
    assert found.usage == Usage(32, 103, cache_read_tokens=6, reasoning_tokens=94)
    assert found.reported_cost == Decimal("0.0037756")


@pytest.mark.parametrize(
    "cached",
    [
        {"prompt_tokens_details": {"cached_tokens": 768}},  # Mistral, Groq
        {"prompt_tokens_details": {"cached_tokens": 768}, "num_cached_tokens": 768},  # Mistral
        {"prompt_token_details": {"cached_tokens": 768}},  # Mistral
        {"prompt_cache_hit_tokens": 768, "prompt_cache_miss_tokens": 33},  # DeepSeek
        {"cached_tokens": 768},  # Moonshot
        {"cache_read_input_tokens": 768},  # LiteLLM
    ],
)
def test_cached_tokens_have_many_names(cached: Any) -> None:
    answer = chat(prompt_tokens=801, completion_tokens=2, total_tokens=803, **cached)
    assert usage_of(answer, provider="mistral") == Usage(801, 2, cache_read_tokens=768)


def test_names_that_contradict_each_other_are_flagged() -> None:
    usage = usage_of(chat(prompt_tokens=801, prompt_cache_hit_tokens=5, prompt_tokens_details={"cached_tokens": 7}))
    assert usage is not None
    assert usage.problem == "token counts do not add up"


def test_litellm_adds_what_was_written_to_the_prompt() -> None:
    answer = chat(
        prompt_tokens=30,
        completion_tokens=3,
        total_tokens=33,
        prompt_tokens_details={"cached_tokens": 10, "cache_creation_tokens": 15},
        cache_creation_input_tokens=15,
        cache_read_input_tokens=10,
    )
    assert usage_of(answer) == Usage(30, 3, cache_read_tokens=10, cache_write_tokens=15)


def test_litellm_tells_how_long_is_kept_what_was_written() -> None:
    lives = {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 10}
    details = {"cached_tokens": 10, "cache_creation_tokens": 15, "cache_creation_token_details": lives}
    found = usage_of(chat(prompt_tokens=30, completion_tokens=3, prompt_tokens_details=details))
    assert found == Usage(
        30, 3, cache_read_tokens=10, cache_write_tokens=15, cache_write_5m_tokens=5, cache_write_1h_tokens=10
    )


@pytest.mark.parametrize("provider", [{}, {"model": "text-embedding-3-small"}])
def test_an_embedding_has_no_output_to_miss(provider: Any) -> None:
    assert usage_of({"object": "list", "usage": {"prompt_tokens": 8}, **provider}) == Usage(8)


@pytest.mark.parametrize(
    ("beside", "kinds"),
    [
        ({"citation_tokens": 5, "num_search_queries": 2}, ("citation", "num_search_queries")),
        ({"reasoning_tokens": 90}, ("reasoning",)),
        ({"prompt_audio_seconds": 12}, ("prompt_audio_seconds",)),
        ({"prompt_audio_seconds": 0, "citation_tokens": None}, ()),
        ({"prompt_tokens_details": {"video_tokens": 7, "cached_tokens": None}}, ("video",)),
        ({"completion_tokens_details": {"video_tokens": 0, "dream_tokens": 1.0}}, ("dream",)),
    ],
)  # fmt: skip
def test_kinds_that_are_priced_apart_are_named(beside: Any, kinds: Any) -> None:
    assert usage_of(chat(prompt_tokens=10, completion_tokens=5, total_tokens=15, **beside)) == Usage(
        10, 5, other_kinds=kinds
    )


@pytest.mark.parametrize(
    "details",
    [
        {"prompt_tokens_details": None, "completion_tokens_details": None},
        {"prompt_tokens_details": {}, "completion_tokens_details": {"reasoning_tokens": None}},
        {"prompt_tokens_details": {"cached_tokens": 0}, "total_tokens": None},
        {"prompt_tokens_details": []},
        {"total_tokens": 15.0, "prompt_tokens": 10.0},
    ],
)
def test_missing_parts_are_nothing(details: Any) -> None:
    assert usage_of({"usage": {"prompt_tokens": 10, "completion_tokens": 5, **details}}) == Usage(10, 5)


@pytest.mark.parametrize(
    ("usage", "problem"),
    [
        ({"prompt_tokens": "10", "completion_tokens": 5}, "token counts do not add up"),
        ({"prompt_tokens": True, "completion_tokens": 5}, "token counts do not add up"),
        ({"prompt_tokens": 10.5, "completion_tokens": 5}, "token counts do not add up"),
        ({"prompt_tokens": -10, "completion_tokens": 5}, "negative token count"),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 99}, "token counts do not add up"),
        ({"prompt_tokens": 10**300, "completion_tokens": 5}, "token counts do not add up"),
        ({"prompt_tokens": 10, "completion_tokens": 1e300}, "token counts do not add up"),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 11}}, "token counts do not add up"),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": "4"}}, "token counts do not add up"),
        ({"prompt_tokens": 10}, "token counts do not add up"),
        ({"prompt_tokens": 10, "completion_tokens": None, "total_tokens": None}, "token counts do not add up"),
        ({"prompt_tokens": 10, "completion_tokens": None, "total_tokens": 15}, "token counts do not add up"),
        ({"input_tokens": 10, "output_tokens": None, "input_tokens_details": {}}, "token counts do not add up"),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 6}},
            "token counts do not add up",
        ),
    ],
)
def test_what_cannot_be_true_is_kept_raw_and_flagged(usage: Any, problem: str) -> None:
    found = usage_of({"usage": usage})
    assert found is not None
    assert found.problem == problem
    assert found.raw is not None


def test_texts_are_not_kept() -> None:
    usage = usage_of({"usage": {"prompt_tokens": "the answer", "completion_tokens": 5, "x": [1, {"y": "secret"}]}})
    assert usage is not None
    assert usage.raw == '{"prompt_tokens":"\\u2026","completion_tokens":5,"x":[1,{"y":"\\u2026"}]}'


def test_zeros_are_no_usage() -> None:
    assert report_of(chat(prompt_tokens=0, completion_tokens=0, total_tokens=0)).no_usage is NoUsage.NOT_REPORTED
