"""Metering before sampling."""

from __future__ import annotations

from typing import Any, Optional

from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased


class MeteringSampler(Sampler):
    """Lets span processors see every span, while exporters get those that another sampler picks.

        TracerProvider(sampler=MeteringSampler(ParentBased(TraceIdRatioBased(0.01))))

    A span that a sampler drops reaches no processor, so it cannot be billed. With this, it is recorded and not
    sampled: exporters leave it out, and its flag tells services below that the trace is not sampled.

    Args:
        sampler: Picks what is exported; by default what its parent was, and every root.
    """

    def __init__(self, sampler: Optional[Sampler] = None) -> None:
        self._sampler = ParentBased(TraceIdRatioBased(1.0)) if sampler is None else sampler

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        """The other sampler's decision, but for spans that it would drop: those are recorded."""
        result = self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is not Decision.DROP:
            return result
        return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)  # a drop loses the attributes

    def get_description(self) -> str:
        """What it does, for people."""
        return f"MeteringSampler({self._sampler.get_description()})"
