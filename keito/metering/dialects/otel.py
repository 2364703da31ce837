"""Attributes of OpenTelemetry spans, by name: the conventions are still in development.

https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/ says that cache reads and writes are inside
the input, and reasoning inside the output. Older names are read where the present ones are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from keito.metering.dialects.counts import Counts
from keito.metering.dialects.reading import field, mapping, text
from keito.metering.dialects.report import Report
from keito.metering.usage import Usage

_USAGE = "gen_ai.usage."
_OPERATIONS = {"embeddings", "text_completion"}


def span(attributes: object, provider: Optional[str] = None) -> Report:  # noqa: ARG001 - all dialects take it
    """Read the attributes of a span of one model call. Spans of agents and workflows repeat the sums of theirs."""
    about = mapping(attributes)
    operation = _first(about, "gen_ai.operation.name")
    return Report(
        usage=span_usage(about),
        model=_first(about, "gen_ai.response.model"),
        tier=_first(about, "openai.response.service_tier", "gen_ai.openai.response.service_tier"),
        response_id=_first(about, "gen_ai.response.id"),
        provider=_first(about, "gen_ai.provider.name", "gen_ai.system"),
        requested_model=_first(about, "gen_ai.request.model"),
        operation=operation if operation in _OPERATIONS else "chat",
    )


def span_usage(attributes: object) -> Optional[Usage]:
    """Tokens of a span."""
    about = mapping(attributes)
    counts = Counts({str(name): value for name, value in about.items() if str(name).startswith(_USAGE)})
    return counts.usage(
        input_tokens=_either(counts, "input_tokens", "prompt_tokens"),
        output_tokens=_either(counts, "output_tokens", "completion_tokens"),
        cache_read_tokens=_either(counts, "cache_read.input_tokens", "cache_read_input_tokens"),
        cache_write_tokens=_either(
            counts, "cache_creation.input_tokens", "cache_creation_input_tokens", "cache_write_input_tokens"
        ),
        reasoning_tokens=_either(counts, "reasoning.output_tokens", "reasoning_tokens"),
    )


def _either(counts: Counts, *names: str) -> int:
    return counts.same(*(field(counts.source, _USAGE + name) for name in names))


def _first(about: Mapping[Any, Any], *names: str) -> Optional[str]:
    return next((found for found in (text(about.get(name)) for name in names) if found), None)
