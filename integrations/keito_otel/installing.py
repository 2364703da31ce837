"""One line that sets up tracing and billing for a whole program."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Optional
from weakref import WeakKeyDictionary

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from typing_extensions import Unpack

from keito.billing import AgentBilling
from keito.billing.policy import PolicyFields
from keito_otel.processor import KeitoSpanProcessor
from keito_otel.sampling import MeteringSampler
from keito_otel.table import Picks

_log = logging.getLogger("keito.billing")

_ATTRIBUTES = 4096
"""Attributes of a span. OpenInference has some for each message, and OpenTelemetry drops the first ones beyond 128."""

_installed: WeakKeyDictionary[TracerProvider, KeitoSpanProcessor] = WeakKeyDictionary()


def install(
    billing: Optional[AgentBilling] = None,
    *,
    tracer_provider: Optional[TracerProvider] = None,
    root: Optional[Picks] = None,
    **policy_fields: Unpack[PolicyFields],
) -> KeitoSpanProcessor:
    """Bill every agent of this program whose framework emits GenAI spans.

        keito_otel.install()

    It takes the program's tracer provider, or makes one that exports nothing, and lets pydantic-ai and the OpenAI
    Agents SDK emit spans, where they are installed and nobody has done so yet. The OpenAI Agents SDK needs
    `openinference-instrumentation-openai-agents`. A second call for the same provider changes nothing.

    Args:
        billing: Bills the runs; by default one that the environment and `policy_fields` describe.
        tracer_provider: Whose spans to bill; by default OpenTelemetry's global one.
        root: As of `KeitoSpanProcessor`.
        **policy_fields: Fields of `BillingPolicy`, such as `project_id` or `outcome`.

    Returns:
        The processor, with `.flush()` and `.billing`.

    Raises:
        ValueError: The policy is incomplete or wrong; the message says what to set.
        KeitoAuthError: There are no credentials.
        TypeError: Both a billing and policy fields are given, or the provider is not of OpenTelemetry's SDK.
    """
    provider = _provider() if tracer_provider is None else tracer_provider
    if not isinstance(provider, TracerProvider):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"keito_otel needs a TracerProvider of opentelemetry-sdk; got {provider!r}")
    if provider not in _installed:
        processor = KeitoSpanProcessor(billing, root=root, **policy_fields)
        provider.add_span_processor(processor)
        _installed[provider] = processor
    for distribution, instrument in _FRAMEWORKS.items():
        if _is_installed(distribution):
            instrument(provider)
    return _installed[provider]


def _provider() -> Any:
    """The program's provider. Where it has none, one whose only purpose is billing."""
    known = trace.get_tracer_provider()
    if not isinstance(known, trace.ProxyTracerProvider):
        return known
    provider = TracerProvider(sampler=MeteringSampler(), span_limits=SpanLimits(max_span_attributes=_ATTRIBUTES))
    trace.set_tracer_provider(provider)
    return provider


def _pydantic_ai(provider: TracerProvider) -> None:
    agents = import_module("pydantic_ai")
    if getattr(agents.Agent, "_instrument_default", False):
        return  # the program has chosen its own settings
    settings = import_module("pydantic_ai.models.instrumented").InstrumentationSettings
    agents.Agent.instrument_all(settings(tracer_provider=provider, include_content=False))


def _openai_agents(provider: TracerProvider) -> None:
    if not _is_installed("openinference-instrumentation-openai-agents"):
        _log.warning(
            "The OpenAI Agents SDK emits no OpenTelemetry spans, so its agents are not billed: "
            "pip install openinference-instrumentation-openai-agents"
        )
        return
    instrumentor = import_module("openinference.instrumentation.openai_agents").OpenAIAgentsInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        # Beside whatever else watches: by default it would replace the SDK's own export of traces.
        instrumentor.instrument(tracer_provider=provider, exclusive_processor=False)


_FRAMEWORKS: dict[str, Callable[[TracerProvider], None]] = {
    "pydantic-ai-slim": _pydantic_ai,
    "openai-agents": _openai_agents,
}


def _is_installed(distribution: str) -> bool:
    try:
        return bool(version(distribution))
    except PackageNotFoundError:
        return False
