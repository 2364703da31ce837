"""Answers in the shapes that Google documents, over HTTP and as objects of its client."""

from collections import deque
from enum import IntEnum
from types import SimpleNamespace
from typing import Any, Optional

import pytest

from keito.metering import Usage
from keito.metering.dialects import Report, report_of, usage_of

ANSWER: "dict[str, Any]" = {
    "candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "STOP"}],
    "usageMetadata": {
        "promptTokenCount": 1120,
        "cachedContentTokenCount": 1000,
        "candidatesTokenCount": 18,
        "thoughtsTokenCount": 900,
        "toolUsePromptTokenCount": 40,
        "totalTokenCount": 2078,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 600},
            {"modality": "IMAGE", "tokenCount": 258},
            {"modality": "DOCUMENT", "tokenCount": 162},
            {"modality": "AUDIO", "tokenCount": 100},
        ],
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 1000}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 18}],
    },
    "modelVersion": "gemini-2.5-pro",
    "responseId": "mAitaLmkHPPlz7IPvtfUqQ4",
}


def test_thoughts_and_tool_results_are_beside_the_rest() -> None:
    assert report_of(ANSWER) == Report(
        usage=Usage(
            1160,
            918,
            cache_read_tokens=1000,
            reasoning_tokens=900,
            input_audio_tokens=100,
            input_image_tokens=420,
        ),
        model="gemini-2.5-pro",
        response_id="mAitaLmkHPPlz7IPvtfUqQ4",
    )


def test_objects_of_the_client_have_other_names() -> None:
    usage = SimpleNamespace(
        prompt_token_count=10,
        candidates_token_count=5,
        thoughts_token_count=None,
        total_token_count=15,
        prompt_tokens_details=[SimpleNamespace(modality="VIDEO", token_count=4)],
        candidates_tokens_details=[SimpleNamespace(modality="IMAGE", token_count=5)],
        traffic_type="ON_DEMAND_FLEX",
    )
    answer = SimpleNamespace(usage_metadata=usage, model_version="gemini-3-flash", response_id="r1", candidates=[])
    assert report_of(answer) == Report(
        usage=Usage(10, 5, output_image_tokens=5, other_kinds=("video",)),
        model="gemini-3-flash",
        tier="flex",
        response_id="r1",
    )


@pytest.mark.parametrize(
    ("about", "tier"),
    [
        ({"trafficType": "ON_DEMAND"}, "on_demand"),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, "priority"),
        ({"trafficType": "PROVISIONED_THROUGHPUT"}, "provisioned_throughput"),
        ({"trafficType": "TRAFFIC_TYPE_UNSPECIFIED"}, None),
        ({"serviceTier": "flex"}, "flex"),
        ({}, None),
    ],
)
def test_the_tier_is_the_kind_of_traffic(about: Any, tier: Optional[str]) -> None:
    assert report_of({"usageMetadata": {"promptTokenCount": 1, **about}}).tier == tier


@pytest.mark.parametrize(
    "usage",
    [
        {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 99},
        {"promptTokenCount": 10, "candidatesTokenCount": 5, "cachedContentTokenCount": 11},
        {"promptTokenCount": "10", "candidatesTokenCount": 5},
        {"promptTokenCount": 10, "responseTokenCount": 5},
        {"candidatesTokenCount": 10},
        {
            "promptTokenCount": 10,
            "candidatesTokenCount": 5,
            "cachedContentTokenCount": 9,
            "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 9}],
        },
        {"promptTokenCount": 10, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 11}]},
        {"promptTokenCount": 10, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": "1"}]},
    ],
)
def test_what_cannot_be_true_is_flagged(usage: Any) -> None:
    found = usage_of({"usageMetadata": usage})
    assert found is not None
    assert found.problem == "token counts do not add up"
    assert found.raw is not None


@pytest.mark.parametrize("details", [None, [], {}, "many", [None], [{"modality": None}]])
def test_missing_details_are_nothing(details: Any) -> None:
    assert usage_of(
        {"usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3, "promptTokensDetails": details}}
    ) == Usage(3)


class Modality(IntEnum):
    """As protobuf has it."""

    TEXT = 1
    AUDIO = 3


@pytest.mark.parametrize("kind", [list, tuple, deque])
def test_modalities_of_protobuf_are_read(kind: Any) -> None:
    rows = kind([SimpleNamespace(modality=Modality.AUDIO, token_count=9)])
    counted = {"prompt_token_count": 10, "candidates_token_count": 5, "total_token_count": 15}
    answer = SimpleNamespace(usage_metadata=SimpleNamespace(**counted, prompt_tokens_details=rows))
    assert usage_of(answer) == Usage(10, 5, input_audio_tokens=9)


def test_a_modality_that_cannot_be_read_is_not_taken_for_text() -> None:
    rows = [{"modality": 3, "tokenCount": 9}]
    found = usage_of(
        {"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "promptTokensDetails": rows}}
    )
    assert found == Usage(10, 5, other_kinds=("unknown",))
