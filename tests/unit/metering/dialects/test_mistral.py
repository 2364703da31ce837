"""Answers in the shapes that Mistral documents. It speaks OpenAI's language, with some words of its own."""

from types import SimpleNamespace
from typing import Any

import pytest

from keito.metering import Usage
from keito.metering.dialects import Report, report_of, usage_of

CHAT: "dict[str, Any]" = {
    "id": "cmpl-e5cc70bb28c444948073e77776eb30ef",
    "object": "chat.completion",
    "created": 1702256327,
    "model": "mistral-medium-2508",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Bonjour", "prefix": False}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1900, "completion_tokens": 300, "total_tokens": 2200},
}
CHUNKS: "list[dict[str, Any]]" = [
    {
        "id": "cmpl-8cd9019d21ba490aa6b9740f5d0a883e",
        "object": "chat.completion.chunk",
        "created": 1711443190,
        "model": "mistral-medium-2508",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Bon"}, "finish_reason": None}],
    },
    {
        "id": "cmpl-8cd9019d21ba490aa6b9740f5d0a883e",
        "object": "chat.completion.chunk",
        "created": 1711443190,
        "model": "mistral-medium-2508",
        "choices": [{"index": 0, "delta": {"content": "jour"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 15, "completion_tokens": 31, "total_tokens": 46},
    },
]
CACHED: "dict[str, Any]" = {
    "prompt_tokens": 1900,
    "completion_tokens": 300,
    "total_tokens": 2200,
    "num_cached_tokens": 1024,
    "prompt_tokens_details": {"cached_tokens": 1024},
}
EMBEDDINGS: "dict[str, Any]" = {
    "id": "cf79f7daaee244b1a0ae5c7b1444424a",
    "object": "list",
    "model": "mistral-embed",
    "data": [{"object": "embedding", "index": 0, "embedding": [-0.016632080078125, 0.0701904296875]}],
    "usage": {"prompt_tokens": 15, "completion_tokens": 0, "total_tokens": 15},
}
CONVERSATION: "dict[str, Any]" = {
    "object": "conversation.response",
    "conversation_id": "conv_06835a34f2c776518000c372a505c2c4",
    "outputs": [{"type": "message.output", "model": "mistral-medium-2508", "role": "assistant", "content": "Bonjour"}],
    "usage": {
        "prompt_tokens": 188,
        "completion_tokens": 55,
        "total_tokens": 7355,
        "connector_tokens": 7112,
        "connectors": {"web_search": 1},
    },
}


class Unset:
    """What the client library puts where nothing was sent."""

    def __bool__(self) -> bool:
        return False


def test_a_chat() -> None:
    assert report_of(CHAT, "mistral") == Report(
        usage=Usage(1900, 300), model="mistral-medium-2508", response_id="cmpl-e5cc70bb28c444948073e77776eb30ef"
    )


def test_cached_tokens_are_inside_the_prompt() -> None:
    assert usage_of({**CHAT, "usage": CACHED}) == Usage(1900, 300, cache_read_tokens=1024)


@pytest.mark.parametrize("around", [lambda chunk: chunk, lambda chunk: {"data": chunk}])
def test_the_last_chunk_of_a_stream_has_the_usage(around: Any) -> None:
    begun, ended = (report_of(around(chunk), "mistral") for chunk in CHUNKS)
    assert begun.usage is None
    assert ended == Report(
        usage=Usage(15, 31), model="mistral-medium-2508", response_id="cmpl-8cd9019d21ba490aa6b9740f5d0a883e"
    )


def test_the_clients_objects_are_read_like_its_json() -> None:
    usage = SimpleNamespace(**CHAT["usage"], prompt_audio_seconds=Unset())
    event = SimpleNamespace(data=SimpleNamespace(**{**CHAT, "usage": usage}))
    assert report_of(event).usage == Usage(1900, 300)


def test_embeddings_have_input_only() -> None:
    report = report_of(EMBEDDINGS, "mistral")
    assert (report.usage, report.operation, report.model) == (Usage(15, 0), "embeddings", "mistral-embed")


def test_speech_is_not_charged_as_text() -> None:
    usage = {**CHAT["usage"], "prompt_audio_seconds": 203}
    found = usage_of({**CHAT, "usage": usage})
    assert found is not None
    assert found.other_kinds == ("prompt_audio_seconds",)


def test_connectors_are_not_charged_as_text() -> None:
    whole = usage_of(CONVERSATION)
    assert whole is not None
    assert whole.problem == "token counts do not add up"  # whose tokens those of the connector are, nobody says
    connectors = {**CHAT["usage"], "connectors": {"web_search": 1, "code_interpreter": 0}}
    found = usage_of({**CHAT, "usage": connectors})
    assert found is not None
    assert found.other_kinds == ("web_search",)
