"""From the span of a model call to the call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from opentelemetry.trace import StatusCode

from keito.metering import LLMCall, NoUsage
from keito.metering.call import quick_call
from keito.metering.dialects import otel
from keito_otel.clock import moment

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_ERROR = StatusCode.ERROR

_FREE = '"total_cost": 0'

_PREPARATION = "._prepare_chat_with_tools"
"""What LlamaIndex's models do before a call has a span of its own, which OpenInference gives out as a call."""

_ANSWER_BEGINS = "First Token Stream Event"
_ANSWER_HAS = "llm.output_messages."

_STOPPED = ("CancelledError", "GeneratorExit", "KeyboardInterrupt")
"""Who stopped listening may be charged for an answer that nobody saw."""


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """The attributes of a span as they are now."""
    held: Any = span.attributes
    return held.copy() if hasattr(held, "copy") else dict(held or {})  # OpenTelemetry's own copies three times as fast


def call_of(span: ReadableSpan, about: Mapping[str, Any]) -> Optional[LLMCall]:
    """The model call that a span with these attributes stands for; `None` if it is none or names neither."""
    usage, served, tier, response_id, reported_cost, provider, requested, operation = otel.span(about)
    if usage is None and ((served is None and requested is None) or span.name.endswith(_PREPARATION)):
        return None
    error = error_of(span, about)
    return quick_call(
        moment(span.start_time),
        moment(span.end_time),
        provider,
        requested,
        served,
        usage,
        None if usage is not None else _no_usage(span, about, error),
        tier,
        _is_cached(about),
        error,
        reported_cost,
        response_id,
        operation,
        error is not None and usage is not None,
    )


def error_of(span: ReadableSpan, about: Mapping[str, Any]) -> Optional[str]:
    """The name of the error that ended a span; `None` if none did."""
    if span.status.status_code is not _ERROR:
        return None
    kinds = [event.attributes.get("exception.type") for event in span.events if event.attributes]
    named = about.get("error.type") or next((kind for kind in reversed(kinds) if kind), None)
    name = str(named or "Error").removeprefix("<class '").removesuffix("'>")  # as Semantic Kernel writes it
    return name.rpartition(".")[2][:100]


def is_stop(error: Optional[str]) -> bool:
    """Whether somebody stopped the work, so that it did not fail by itself."""
    return error in _STOPPED


def _is_cached(about: Mapping[str, Any]) -> bool:
    """Whether LangChain's cache answered. It repeats the usage of the first call, with a `total_cost` of 0.

    Only the answer that OpenInference puts into the span tells. Nothing else in it is looked at.
    """
    answer = about.get("output.value")
    if not isinstance(answer, str) or _FREE not in answer:
        return False
    try:
        messages = [one["message"]["kwargs"] for row in json.loads(answer)["generations"] for one in row]
        return bool(messages) and all(message["usage_metadata"]["total_cost"] == 0 for message in messages)
    except (ValueError, LookupError, TypeError, RecursionError):  # of somebody else
        return False


def _no_usage(span: ReadableSpan, about: Mapping[str, Any], error: Optional[str]) -> NoUsage:
    if error is None:
        return NoUsage.NOT_REPORTED
    is_charged = is_stop(error) or "Timeout" in error or _has_begun(span, about)
    return NoUsage.ABORTED if is_charged else NoUsage.FAILED


def _has_begun(span: ReadableSpan, about: Mapping[str, Any]) -> bool:
    """Whether an answer had begun to arrive before the error, so that the provider charges for it.

    OpenInference notes the first token, or puts what had arrived into the span. Only whether it is there is looked at.
    """
    if "gen_ai.response.id" in about or any(event.name == _ANSWER_BEGINS for event in span.events):
        return True
    return any(name.startswith(_ANSWER_HAS) and not name.endswith(".role") for name in about)
