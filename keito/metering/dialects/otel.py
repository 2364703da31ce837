"""Attributes of OpenTelemetry spans, by name: the conventions are still in development.

https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/ says that cache reads and writes are inside
the input, and reasoning inside the output. OpenInference (https://arize-ai.github.io/openinference/spec/) and
OpenLLMetry have names of their own for the same; where a span has several, they must agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Optional

from keito.metering.dialects.counts import Counts
from keito.metering.dialects.reading import TEXT_LIMIT, amount, mapping, text
from keito.metering.dialects.report import Report
from keito.metering.usage import MOST, Usage, quick_usage

_COUNTS: dict[str, tuple[str, ...]] = {
    "input": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
    ),
    "output": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
    ),
    "total": ("gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens"),
    "cache_read": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "llm.token_count.prompt_details.cache_read",
        "llm.token_count.prompt_details.cache_input",
        "llm.usage.cache_read_input_tokens",
    ),
    "cache_write": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "llm.token_count.prompt_details.cache_write",
        "llm.usage.cache_creation_input_tokens",
    ),
    "long_write": ("gen_ai.usage.details.ephemeral_1h_input_tokens",),
    "compacted_long_write": ("gen_ai.usage.details.compaction_ephemeral_1h_input_tokens",),
    "reasoning": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.experimental.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "llm.usage.reasoning_tokens",
    ),
    "audio_in": ("gen_ai.usage.details.input_audio_tokens", "llm.token_count.prompt_details.audio"),
    "audio_out": ("gen_ai.usage.details.output_audio_tokens", "llm.token_count.completion_details.audio"),
}
_FIELDS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "long_write": "cache_write_1h_tokens",
    "reasoning": "reasoning_tokens",
    "audio_in": "input_audio_tokens",
    "audio_out": "output_audio_tokens",
}
_COUNT_OF = {name: count for count, names in _COUNTS.items() for name in names}
_INPUT, _OUTPUT, _READ, _WRITTEN, _REASONED = (
    _COUNTS[count][0] for count in ("input", "output", "cache_read", "cache_write", "reasoning")
)
_CHARGED = {
    "gen_ai.usage.details.advisor_iterations": "advisor_message iteration",
    "gen_ai.usage.details.web_search_requests": "web_search",
}
"""What pydantic-ai says of Anthropic's answers that costs something beside the tokens, by the names of Anthropic."""
_OTHERS = frozenset({*_COUNT_OF, *_CHARGED}) - {_INPUT, _OUTPUT, _READ, _WRITTEN, _REASONED}
"""The counts that are none of today's conventions."""

_WHOLE = {int}

_SERVED = ("gen_ai.response.model", "llm.response.model_name", "llm.response.model")
_REQUESTED = (
    "gen_ai.request.model",
    "llm.request.model_name",
    "llm.request.model",
    "llm.model_name",
    "embedding.model_name",
)
# Who serves a model decides its price; OpenInference's `llm.system` is only whose language is spoken.
_PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor")
_FRAMEWORKS = frozenset(
    {
        "crewai",
        "gcp.vertex.agent",
        "langchain",
        "langgraph",
        "llamaindex",
        "microsoft.agent_framework",
        "strands-agents",
    }
)
"""What frameworks give as the provider: themselves. Who serves the model is not known, but often its name tells."""

_BESIDE = "anthropic_llm"
"""What OpenLLMetry calls LlamaIndex's class for Anthropic. It hands on its counts, with the cache beside the input."""

_COST = "gen_ai.usage.cost.amount"
_ID = ("gen_ai.response.id",)
_OPERATION = ("gen_ai.operation.name", "llm.request.type", "openinference.span.kind")
_TIER = ("openai.response.service_tier", "gen_ai.openai.response.service_tier")

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,30})?([eE]-[0-9]{1,2})?")
"""A cost as text, which is exact where an attribute's double is not."""

_OPERATIONS: dict[Optional[str], str] = {
    **dict.fromkeys(("embeddings", "embedding", "EMBEDDING"), "embeddings"),
    **dict.fromkeys(
        ("text_completion", "completion", "text_completions", "text.completions", "text.streaming_completions"),
        "text_completion",
    ),
}


def span(attributes: object, provider: Optional[str] = None) -> Report:  # noqa: ARG001 - all dialects take it
    """Read the attributes of a span of one model call. Spans of agents and workflows repeat the sums of theirs."""
    about = mapping(attributes)
    return Report(
        _usage(about),
        _first(about, _SERVED),
        _first(about, _TIER),
        _first(about, _ID),
        _reported_cost(about) if _COST in about else None,
        _provider(about),
        _first(about, _REQUESTED),
        _operation(about),
    )


def span_usage(attributes: object) -> Optional[Usage]:
    """Tokens of a span."""
    return _usage(mapping(attributes))


def _usage(about: Mapping[Any, Any]) -> Optional[Usage]:
    usage = _plain_usage(about) if about.keys().isdisjoint(_OTHERS) else None
    if usage is None and (names := about.keys() & _COUNT_OF.keys()):  # a span of a long chat has hundreds of others
        counts = Counts({name: about[name] for name in sorted(names)})
        charged = {kind for name, kind in _CHARGED.items() if about.get(name)}
        usage = _disputed_usage(counts, charged, is_beside=about.get("gen_ai.provider.name") == _BESIDE)
    return usage


def _plain_usage(about: Mapping[Any, Any]) -> Optional[Usage]:
    """Tokens by today's names, where all are whole numbers that can be true. The agent waits for this."""
    counts = taken, made, read, written, reasoned = (
        about.get(_INPUT, 0),
        about.get(_OUTPUT, 0),
        about.get(_READ, 0),
        about.get(_WRITTEN, 0),
        about.get(_REASONED, 0),
    )
    if {*map(type, counts)} != _WHOLE or not 0 < taken + made < MOST:
        return None
    if not (written >= 0 and 0 <= read <= taken - written and 0 <= reasoned <= made):  # as `Usage.problem`
        return None
    return quick_usage(taken, made, read, written, 0, 0, reasoned)


def _disputed_usage(counts: Counts, charged: set[str], *, is_beside: bool) -> Optional[Usage]:
    """Tokens where several names, a total or something that is no count have to be weighed against each other.

    Args:
        counts: The counts.
        charged: What costs something beside them.
        is_beside: Whether the cache is no part of the input.
    """
    found: dict[str, int] = {}
    for name, value in counts.source.items():
        count = _COUNT_OF[name]
        found[count] = counts.same(found[count], value) if count in found else counts.whole(value)
    total = found.pop("total", 0)
    if is_beside:
        cached = found.get("cache_read", 0) + found.get("cache_write", 0)
        found["input"], total = found.get("input", 0) + cached, total and total + cached
    if total:
        _settle(total, found, counts)
    if compacted := found.pop("compacted_long_write", 0):  # in a sum of writes, too, but with a name of its own
        found["long_write"] = found.get("long_write", 0) + compacted
    return counts.usage(charged, **{_FIELDS[count]: value for count, value in found.items()})


def _settle(total: int, found: dict[str, int], counts: Counts) -> None:
    """Add what a total shows to be beside the input or the output. Where there is none the conventions hold.

    Strands hands on Bedrock's counts, whose cache is beside the input; Google's thoughts may be beside the output.
    """
    told = found.get("input", 0) + found.get("output", 0)
    cached, reasoning = found.get("cache_read", 0) + found.get("cache_write", 0), found.get("reasoning", 0)
    beside = counts.one_of(total, told, told + cached, told + reasoning) - told
    if beside and beside == cached:
        found["input"] = found.get("input", 0) + cached
    elif beside:
        found["output"] = found.get("output", 0) + reasoning


def _reported_cost(about: Mapping[Any, Any]) -> Optional[Decimal]:
    """Only what the provider itself says: the costs that instrumentations compute come from tables of their own."""
    if about.get("gen_ai.usage.cost.source") != "provider" or about.get("gen_ai.usage.cost.currency") != "USD":
        return None
    cost = about[_COST]
    return amount(Decimal(cost) if isinstance(cost, str) and _NUMBER.fullmatch(cost) else cost)


def _provider(about: Mapping[Any, Any]) -> Optional[str]:
    found = _first(about, _PROVIDER)
    return None if found is None or found.lower() in _FRAMEWORKS else found


def _operation(about: Mapping[Any, Any]) -> str:
    return _OPERATIONS.get(_first(about, _OPERATION), "chat")


def _first(about: Mapping[Any, Any], names: tuple[str, ...]) -> Optional[str]:
    for name in names:
        value = about.get(name)
        if type(value) is str and 0 < len(value) <= TEXT_LIMIT:  # what `text` does first: the agent waits for this
            return value
        if value is not None and (found := text(value)) is not None:
            return found
    return None
