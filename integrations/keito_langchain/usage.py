"""What LangChain says about a model call, in keito's terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional
from uuid import UUID

from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult

from keito.metering import Usage

_TIERS = ("flex", "priority")
"""langchain-openai puts the service tier before the names of details: `flex`, `flex_cache_read`, ..."""

_WRITES = ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
_INPUT_KINDS = {"cache_read", "audio", "text", *_WRITES}
_OUTPUT_KINDS = {"reasoning", "audio", "text"}


@dataclass(frozen=True)
class Answer:
    """What the end of a model call told.

    Attributes:
        usage: The tokens, if any were reported.
        provider: Who served it, if the answer says so.
        model: The served model.
        tier: The service tier.
        cached: The answer came from LangChain's response cache.
        started: There was an answer, whole or in parts.
        counted_elsewhere: The usage is an empty dictionary, as on all but the first prompt of a text model.
    """

    usage: Optional[Usage] = None
    provider: Optional[str] = None
    model: Optional[str] = None
    tier: Optional[str] = None
    cached: bool = False
    started: bool = False
    counted_elsewhere: bool = False


def read_answer(response: Optional[LLMResult], run_id: UUID) -> Answer:
    """Read the result that `on_llm_end` and `on_llm_error` bring. Nothing in it is changed.

    Only the first generation is read: with `n=2` both carry the same usage.
    """
    if response is None:
        return Answer()
    generation = next((item for part in response.generations for item in part), None)
    message: Optional[BaseMessage] = getattr(generation, "message", None)
    about: dict[str, Any] = message.response_metadata if message is not None else {}
    output: dict[str, Any] = response.llm_output or {}
    counted: Optional[Mapping[str, Any]] = getattr(message, "usage_metadata", None)
    raw = about.get("token_usage") or about.get("usage") or output.get("token_usage") or output.get("usage")
    usage = from_usage_metadata(counted) if counted else from_token_usage(raw)
    return Answer(
        usage=usage if usage is not None and usage.total_tokens else None,
        provider=about.get("model_provider"),
        model=about.get("model_name") or about.get("model") or output.get("model_name") or output.get("model"),
        tier=about.get("service_tier") or _tier_of(counted),
        cached=_is_cached(message, counted, run_id),
        started=generation is not None,
        counted_elsewhere=output.get("token_usage") == {},
    )


def from_usage_metadata(counted: Mapping[str, Any]) -> Usage:
    """Tokens from `AIMessage.usage_metadata`, whose details are parts of the two sums."""
    inputs = _details(counted, "input_token_details")
    outputs = _details(counted, "output_token_details")
    short, long = inputs.get("ephemeral_5m_input_tokens", 0), inputs.get("ephemeral_1h_input_tokens", 0)
    other = {kind for kind in inputs if kind not in _INPUT_KINDS} | {k for k in outputs if k not in _OUTPUT_KINDS}
    return Usage(
        input_tokens=_count(counted.get("input_tokens")),
        output_tokens=_count(counted.get("output_tokens")),
        cache_read_tokens=inputs.get("cache_read", 0),
        # langchain-anthropic sets `cache_creation` to 0 where it knows the lifetimes.
        cache_write_tokens=sum(inputs.get(kind, 0) for kind in _WRITES),
        cache_write_5m_tokens=short,
        cache_write_1h_tokens=long,
        reasoning_tokens=outputs.get("reasoning", 0),
        input_audio_tokens=inputs.get("audio", 0),
        output_audio_tokens=outputs.get("audio", 0),
        other_kinds=tuple(sorted(other)),
    )


def from_token_usage(raw: object) -> Optional[Usage]:
    """Tokens from a provider's own dictionary: OpenAI's, or Anthropic's with its cache outside of the input."""
    if not isinstance(raw, Mapping) or not raw:
        return None
    counts: Mapping[str, Any] = raw  # pyright: ignore[reportUnknownVariableType]
    if "prompt_tokens" in counts:
        inputs, outputs = _details(counts, "prompt_tokens_details"), _details(counts, "completion_tokens_details")
        return Usage(
            input_tokens=_count(counts["prompt_tokens"]),
            output_tokens=_count(counts.get("completion_tokens")),
            cache_read_tokens=inputs.get("cached_tokens", 0),
            reasoning_tokens=outputs.get("reasoning_tokens", 0),
            input_audio_tokens=inputs.get("audio_tokens", 0),
            output_audio_tokens=outputs.get("audio_tokens", 0),
        )
    read, written = _count(counts.get("cache_read_input_tokens")), _count(counts.get("cache_creation_input_tokens"))
    return Usage(
        input_tokens=_count(counts.get("input_tokens")) + read + written,
        output_tokens=_count(counts.get("output_tokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
    )


def _details(counts: Mapping[str, Any], name: str) -> dict[str, int]:
    """The details by kind, without the tier in their names. The tier's own name is the rest that has no kind."""
    found: dict[str, int] = {}
    details: Mapping[str, Any] = counts.get(name) or {}
    for key, value in details.items():
        kind = next((key[len(tier) + 1 :] for tier in _TIERS if key == tier or key.startswith(tier + "_")), key)
        if kind and _count(value):
            found[kind] = found.get(kind, 0) + _count(value)
    return found


def _tier_of(counted: Optional[Mapping[str, Any]]) -> Optional[str]:
    details: list[Mapping[str, Any]] = [
        (counted or {}).get(name) or {} for name in ("input_token_details", "output_token_details")
    ]
    names = {key.split("_", 1)[0] for part in details for key in part}
    return next((tier for tier in _TIERS if tier in names), None)


def _is_cached(message: Optional[BaseMessage], counted: Optional[Mapping[str, Any]], run_id: UUID) -> bool:
    """Whether LangChain's cache answered. It then repeats the usage of the first call, with a `total_cost` of 0.

    Without usage only the message's id tells: `lc_run--` and the id of another run.
    """
    if counted:
        return "total_cost" in counted and counted["total_cost"] == 0
    text = (message.id or "") if message is not None else ""
    return text.startswith("lc_run--") and str(run_id) not in text


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
