"""The span of an API request."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

from opentelemetry import context, trace

if TYPE_CHECKING:
    from keito.core.call import Call
    from keito.core.wire import Wire

_QUIET = [
    "suppress_instrumentation",
    *(
        key
        for name in ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")
        if (key := getattr(context, name, None)) is not None
    ),
]
"""By these names instrumentations are asked to be quiet. OpenTelemetry itself keeps two of them to itself."""


class RequestSpan:
    """One attempt, by https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and without query and ids.

    Args:
        tracer: Makes the span.
        durations: Takes how long it took.
        call: What is asked for.
        wire: Where it goes to.
    """

    def __init__(self, tracer: Any, durations: Any, call: Call[Any], wire: Wire) -> None:
        self._durations = durations
        self._about: dict[str, Any] = {
            "http.request.method": call.method,
            "server.address": wire.base_url.host,
            "server.port": wire.base_url.port or (443 if wire.base_url.scheme == "https" else 80),
        }
        path = call.name.partition(" ")[2]
        about = {**self._about, "url.path": path}
        self._span = tracer.start_span(call.method, kind=trace.SpanKind.CLIENT, attributes=about)
        self._token: Any = None
        self._began = 0.0

    def __enter__(self) -> RequestSpan:
        inside = trace.set_span_in_context(self._span)
        for key in _QUIET:
            inside = context.set_value(key, True, inside)
        self._token = context.attach(inside)
        self._began = time.perf_counter()
        return self

    def ended(self, outcome: Any) -> Any:
        """Take what became of the attempt, and hand it on."""
        status = getattr(outcome, "status", None)
        if status is not None:
            self._about["http.response.status_code"] = status
        if status is None or status >= 400:
            reason = "timeout" if getattr(outcome, "timed_out", False) else "connection"
            self._about["error.type"] = reason if status is None else str(status)
        return outcome

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace_: Optional[TracebackType]
    ) -> None:
        context.detach(self._token)
        if kind is not None:
            self._about["error.type"] = kind.__qualname__
        self._durations.record(time.perf_counter() - self._began, self._about)
        self._span.set_attributes(self._about)
        if "error.type" in self._about:
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()
