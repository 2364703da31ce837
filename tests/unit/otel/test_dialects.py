"""What frameworks and instrumentations call the same things: a table of attribute dialects."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito.metering import Usage
from keito.metering.dialects import Report, otel, report_of

WHOLE = Usage(100, 50, cache_read_tokens=25, cache_write_tokens=15, reasoning_tokens=10)

PRESENT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.response.model": "gpt-5-mini-2025-08-07",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.cache_read.input_tokens": 25,
    "gen_ai.usage.cache_creation.input_tokens": 15,
    "gen_ai.usage.reasoning.output_tokens": 10,
}
PYDANTIC_AI = {
    **PRESENT,
    "gen_ai.system": "openai",
    "gen_ai.usage.details.cache_read_tokens": 25,
    "gen_ai.usage.details.cache_write_tokens": 15,
    "gen_ai.usage.details.reasoning_tokens": 10,
}
FIRST_CONVENTIONS = {
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.response.model": "gpt-5-mini-2025-08-07",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.prompt_tokens": 100,
    "gen_ai.usage.completion_tokens": 50,
    "gen_ai.usage.cache_read_input_tokens": 25,
    "gen_ai.usage.cache_creation_input_tokens": 15,
    "gen_ai.usage.reasoning_tokens": 10,
}
OPEN_LLMETRY = {
    "llm.request.type": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.response.model": "gpt-5-mini-2025-08-07",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.prompt_tokens": 100,
    "gen_ai.usage.completion_tokens": 50,
    "llm.usage.total_tokens": 150,
    "gen_ai.usage.cache_read_input_tokens": 25,
    "gen_ai.usage.cache_creation_input_tokens": 15,
    "llm.usage.reasoning_tokens": 10,
}
OPEN_INFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.provider": "openai",
    "llm.system": "openai",
    "llm.model_name": "gpt-5-mini",
    "llm.response.model_name": "gpt-5-mini-2025-08-07",
    "gen_ai.response.id": "chatcmpl-1",
    "llm.token_count.prompt": 100,
    "llm.token_count.completion": 50,
    "llm.token_count.total": 150,
    "llm.token_count.prompt_details.cache_read": 25,
    "llm.token_count.prompt_details.cache_write": 15,
    "llm.token_count.completion_details.reasoning": 10,
}
STRANDS = {  # hands on Bedrock's counts, with the cache beside the input, under old and new names
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.response.model": "gpt-5-mini-2025-08-07",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.prompt_tokens": 60,
    "gen_ai.usage.input_tokens": 60,
    "gen_ai.usage.completion_tokens": 50,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.total_tokens": 150,
    "gen_ai.usage.cache_read_input_tokens": 25,
    "gen_ai.usage.cache_read.input_tokens": 25,
    "gen_ai.usage.cache_write_input_tokens": 15,
    "gen_ai.usage.reasoning_tokens": 10,
}
GOOGLE_ADK = {  # thoughts beside the output
    "gen_ai.operation.name": "generate_content",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.response.model": "gpt-5-mini-2025-08-07",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 40,
    "gen_ai.usage.total_tokens": 150,
    "gen_ai.usage.cache_read.input_tokens": 25,
    "gen_ai.usage.cache_creation.input_tokens": 15,
    "gen_ai.usage.experimental.reasoning_tokens": 10,
}
TABLE = {
    "present conventions": PRESENT,
    "pydantic-ai": PYDANTIC_AI,
    "first conventions": FIRST_CONVENTIONS,
    "OpenLLMetry": OPEN_LLMETRY,
    "OpenInference": OPEN_INFERENCE,
    "Strands": STRANDS,
    "Google ADK": GOOGLE_ADK,
}


ANSWER = {"gen_ai.response.model": "gpt-5-mini-2025-08-07", "gen_ai.response.id": "chatcmpl-1"}
ASKED = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5-mini"}
OF_OPENAI = Usage(1000, 100, cache_read_tokens=400)
OF_ANTHROPIC = Usage(720, 100, cache_read_tokens=400, cache_write_tokens=300)
SEEN: dict[str, tuple[dict[str, Any], Report]] = {
    "strands-agents 1.62.0": (
        {
            **ASKED,
            "gen_ai.system": "strands-agents",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.usage.prompt_tokens": 720,
            "gen_ai.usage.input_tokens": 720,
            "gen_ai.usage.completion_tokens": 100,
            "gen_ai.usage.output_tokens": 100,
            "gen_ai.usage.total_tokens": 820,
            "gen_ai.usage.cache_read.input_tokens": 400,
            "gen_ai.usage.cache_read_input_tokens": 400,
            "gen_ai.usage.cache_creation.input_tokens": 300,
            "gen_ai.usage.cache_write_input_tokens": 300,
            "gen_ai.server.time_to_first_token": 3,
        },
        Report(OF_ANTHROPIC, requested_model="claude-sonnet-4-5"),
    ),
    "google-adk 2.13.0": (
        {
            "gen_ai.operation.name": "generate_content",
            "gen_ai.request.model": "gemini-2.5-flash",
            "gen_ai.provider.name": "gcp.gemini",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 100,
            "gen_ai.usage.cache_read.input_tokens": 400,
            "gen_ai.usage.reasoning.output_tokens": 60,
        },
        Report(
            Usage(1000, 100, cache_read_tokens=400, reasoning_tokens=60),
            provider="gcp.gemini",
            requested_model="gemini-2.5-flash",
        ),
    ),
    "google-adk 2.13.0, the older format": (
        {
            "gen_ai.system": "gcp.vertex.agent",
            "gen_ai.request.model": "gemini-2.5-flash",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 100,
        },
        Report(Usage(1000, 100), requested_model="gemini-2.5-flash"),
    ),
    "semantic-kernel 1.45.0": (
        {
            **ASKED,
            "gen_ai.system": "openai",
            "server.address": "http://127.0.0.1:35399",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 100,
        },
        Report(Usage(1000, 100), response_id="chatcmpl-1", provider="openai", requested_model="gpt-5-mini"),
    ),
    "openinference-instrumentation-llama-index 4.6.1": (
        {
            "llm.model_name": "claude-sonnet-4-5",
            "llm.provider": "anthropic",
            "llm.system": "anthropic",
            "llm.token_count.completion": 100,
            "llm.token_count.prompt_details.cache_write": 300,
            "llm.token_count.prompt_details.cache_read": 400,
            "llm.token_count.prompt": 720,
            "openinference.span.kind": "LLM",
        },
        Report(OF_ANTHROPIC, provider="anthropic", requested_model="claude-sonnet-4-5"),
    ),
    "opentelemetry-instrumentation-llamaindex 0.62.4": (
        {
            "traceloop.span.kind": "task",
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic_llm",
            "gen_ai.response.model": "claude-sonnet-4-5-20250929",
            "gen_ai.response.id": "msg_1",
            "gen_ai.usage.output_tokens": 100,
            "gen_ai.usage.input_tokens": 20,
            "gen_ai.usage.total_tokens": 120,
            "gen_ai.usage.cache_read.input_tokens": 400,
            "gen_ai.usage.cache_creation.input_tokens": 300,
        },
        Report(OF_ANTHROPIC, "claude-sonnet-4-5-20250929", response_id="msg_1", provider="anthropic_llm"),
    ),
    "opentelemetry-instrumentation-openai 0.62.4": (
        {
            **ASKED,
            **ANSWER,
            "gen_ai.provider.name": "openai",
            "openai.response.service_tier": "default",
            "gen_ai.usage.total_tokens": 1100,
            "gen_ai.usage.output_tokens": 100,
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.cache_read.input_tokens": 400,
        },
        Report(OF_OPENAI, "gpt-5-mini-2025-08-07", "default", "chatcmpl-1", None, "openai", "gpt-5-mini"),
    ),
    "opentelemetry-instrumentation-langchain 0.62.4": (
        {
            **ASKED,
            **ANSWER,
            "traceloop.workflow.name": "Ticket 1",
            "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 100,
            "gen_ai.usage.total_tokens": 1100,
            "gen_ai.usage.cache_read.input_tokens": 400,
        },
        Report(OF_OPENAI, "gpt-5-mini-2025-08-07", None, "chatcmpl-1", None, "openai", "gpt-5-mini"),
    ),
}


@pytest.mark.parametrize(("attributes", "expected"), SEEN.values(), ids=SEEN.keys())
def test_what_versions_of_instrumentations_were_seen_to_emit(attributes: Any, expected: Report) -> None:
    assert report_of(attributes) == expected


@pytest.mark.parametrize(("cached", "total"), [(5, 120), (0, 120), (5, None)])
def test_a_small_cache_beside_the_input_is_added_where_no_sum_shows_it(cached: int, total: Optional[int]) -> None:
    about = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic_llm"}
    counts = {"gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 100, "gen_ai.usage.total_tokens": total}
    read = {"gen_ai.usage.cache_read.input_tokens": cached}
    assert report_of({**about, **counts, **read}).usage == Usage(20 + cached, 100, cache_read_tokens=cached)


@pytest.mark.parametrize("attributes", TABLE.values(), ids=TABLE.keys())
def test_every_dialect_means_the_same_call(attributes: Any) -> None:
    assert report_of(attributes) == Report(
        usage=WHOLE,
        model="gpt-5-mini-2025-08-07",
        response_id="chatcmpl-1",
        provider="openai",
        requested_model="gpt-5-mini",
    )


@pytest.mark.parametrize("attributes", TABLE.values(), ids=TABLE.keys())
def test_every_dialect_is_an_inference(attributes: Any) -> None:
    pytest.importorskip("opentelemetry.sdk")
    pytest.importorskip("genai_prices")  # where it is, keito_otel's Python is, too
    from keito_otel.roles import role_of

    assert role_of(attributes) == "inference"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.details.input_audio_tokens": 4},
            Usage(9, input_audio_tokens=4),
        ),
        (
            {"llm.token_count.completion": 9, "llm.token_count.completion_details.audio": 4},
            Usage(0, 9, output_audio_tokens=4),
        ),
        ({"llm.token_count.prompt": 9, "llm.token_count.prompt_details.audio": 4}, Usage(9, input_audio_tokens=4)),
        ({"llm.usage.prompt_tokens": 9, "llm.usage.completion_tokens": 3, "llm.usage.total_tokens": 12}, Usage(9, 3)),
        (
            {
                "gen_ai.usage.input_tokens": 9,
                "gen_ai.usage.cache_creation.input_tokens": 7,
                "gen_ai.usage.details.ephemeral_1h_input_tokens": 4,
                "gen_ai.usage.details.compaction_ephemeral_1h_input_tokens": 2,
            },
            Usage(9, cache_write_tokens=7, cache_write_1h_tokens=6),
        ),
        ({"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}, None),
        ({"gen_ai.request.model": "x"}, None),
    ],
)
def test_parts_of_the_counts(attributes: Any, expected: Optional[Usage]) -> None:
    assert report_of({"gen_ai.operation.name": "chat", **attributes}).usage == expected


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.prompt_tokens": 8},
        {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.total_tokens": 100},
        {"gen_ai.usage.total_tokens": 100},
        {"gen_ai.usage.input_tokens": "nine"},
        {"gen_ai.usage.input_tokens": 10**300, "gen_ai.usage.output_tokens": 5},
        {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 10**12},
        {"llm.token_count.prompt": 1e300},
        {"llm.token_count.prompt": 9, "llm.token_count.prompt_details.cache_read": 10},
    ],
)
def test_what_contradicts_itself_is_flagged_and_not_guessed(attributes: Any) -> None:
    usage = report_of(attributes).usage
    assert usage is not None
    assert usage.problem is not None


@pytest.mark.parametrize(
    ("attributes", "operation"),
    [
        ({"gen_ai.operation.name": "embeddings"}, "embeddings"),
        ({"gen_ai.operation.name": "generate_content"}, "chat"),
        ({"gen_ai.operation.name": "text_completion"}, "text_completion"),
        ({"llm.request.type": "completion"}, "text_completion"),
        ({"openinference.span.kind": "EMBEDDING", "embedding.model_name": "e"}, "embeddings"),
        ({}, "chat"),
    ],
)
def test_the_operation(attributes: Any, operation: str) -> None:
    assert report_of({"gen_ai.usage.input_tokens": 1, **attributes}).operation == operation


@pytest.mark.parametrize(
    ("attributes", "provider"),
    [
        ({"llm.provider": "azure", "llm.system": "openai"}, "azure"),  # who serves it decides the price
        ({"llm.system": "vertexai"}, "vertexai"),
        ({"gen_ai.provider.name": "aws.bedrock", "gen_ai.system": "anthropic"}, "aws.bedrock"),
    ],
)
def test_the_provider(attributes: Any, provider: str) -> None:
    assert report_of({"gen_ai.usage.input_tokens": 1, **attributes}).provider == provider


@pytest.mark.parametrize(
    ("source", "currency", "cost"),
    [("provider", "USD", Decimal("0.25")), ("local", "USD", None), ("provider", "EUR", None), (None, None, None)],
)
def test_only_a_cost_that_the_provider_names_in_dollars_is_taken(source: Any, currency: Any, cost: Any) -> None:
    about = {"gen_ai.usage.cost.amount": 0.25, "gen_ai.usage.cost.source": source, "llm.cost.total": 9.0}
    assert report_of({**about, "gen_ai.usage.cost.currency": currency}).reported_cost == cost


@pytest.mark.parametrize(
    ("said", "cost"),
    [
        ("0.000123", "0.000123"),
        ("4.5e-05", "0.000045"),
        ("0", "0"),
        ("free", None),
        ("-1", None),
        ("1e9", None),
        ("", None),
    ],
)
def test_a_cost_given_as_text_is_exact(said: str, cost: Any) -> None:
    about = {"gen_ai.usage.cost.source": "provider", "gen_ai.usage.cost.currency": "USD"}
    found = report_of({**about, "gen_ai.usage.cost.amount": said}).reported_cost
    assert found == (None if cost is None else Decimal(cost))


def test_cached_input_by_open_inferences_other_name() -> None:
    counts = {"llm.token_count.prompt": 100, "llm.token_count.completion": 50}
    cached = {"llm.token_count.prompt_details.cache_input": 25}
    assert report_of({**counts, **cached}).usage == Usage(100, 50, cache_read_tokens=25)
    same = {**counts, **cached, "llm.token_count.prompt_details.cache_read": 25}
    assert report_of(same).usage == Usage(100, 50, cache_read_tokens=25)
    other = report_of({**same, "llm.token_count.prompt_details.cache_read": 40}).usage
    assert other is not None
    assert other.problem is not None


def test_the_service_tier() -> None:
    assert report_of({"gen_ai.usage.input_tokens": 1, "openai.response.service_tier": "flex"}).tier == "flex"


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 9},
        {"gen_ai.operation.name": "invoke_workflow", "gen_ai.usage.input_tokens": 9},
        {"gen_ai.operation.name": "execute_tool"},
        {"openinference.span.kind": "AGENT", "llm.token_count.prompt": 9, "llm.model_name": "m"},
        {"traceloop.span.kind": "workflow", "gen_ai.usage.input_tokens": 9, "gen_ai.request.model": "m"},
    ],
)
def test_wrappers_are_work_and_no_inference(attributes: Any) -> None:
    pytest.importorskip("opentelemetry.sdk")
    pytest.importorskip("genai_prices")  # where it is, keito_otel's Python is, too
    from keito_otel.roles import role_of

    assert role_of(attributes) == "work"


def test_a_span_that_lost_its_first_attributes_is_still_an_inference() -> None:
    pytest.importorskip("opentelemetry.sdk")
    pytest.importorskip("genai_prices")  # where it is, keito_otel's Python is, too
    from keito_otel.roles import role_of

    assert role_of({"llm.model_name": "m", "llm.token_count.prompt": 9}) == "inference"
    assert role_of({"http.request.method": "GET"}) == "other"


@given(
    st.dictionaries(
        st.sampled_from([name for name in PRESENT if ".usage." in name]),
        st.one_of(st.integers(-2, 200), st.booleans(), st.floats(0, 9), st.just("12"), st.none()),
    )
)
def test_counts_of_today_are_read_as_all_others(counts: dict[str, Any]) -> None:
    # A name of another dialect, which says the same, has the counts weighed against each other.
    weighed = {**counts, "llm.usage.reasoning_tokens": counts.get("gen_ai.usage.reasoning.output_tokens", 0)}
    quick, careful = otel.span_usage(counts), otel.span_usage(weighed)
    assert quick == careful or (quick is not None and careful is not None and quick.problem == careful.problem)


@pytest.mark.parametrize("name", ["web_search_requests", "advisor_iterations"])
@pytest.mark.parametrize("number", [0, 2])
def test_what_costs_something_beside_the_tokens_is_not_priced_without_it(name: str, number: int) -> None:
    about = {"gen_ai.usage.input_tokens": 9, f"gen_ai.usage.details.{name}": number}
    usage = report_of({"gen_ai.operation.name": "chat", **about}).usage
    assert usage is not None
    assert len(usage.other_kinds) == (1 if number else 0)
