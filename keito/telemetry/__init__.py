"""What keito does, for whoever watches the program with OpenTelemetry.

Spans of runs, of API requests and of what the relay has sent; metrics of tokens, cost and delivery. It speaks to
`opentelemetry-api` only, and only in a program that has loaded it: without, each hook costs a look into a dictionary.
Nothing here raises, and prompts, answers and keys are in none of it.

Hooks, each called from one place:

| Hook | When |
|---|---|
| `run_started(run)` | a run begins, in the context of its code |
| `shown_by(run, context)` | a run begins of which is known which span shows it |
| `run_billed(run, project_id, cost)` | a run has ended and is priced, before its records are made |
| `request(call, wire)` | around one attempt of an API request |
| `settled(states, seconds)` | a relay has committed what became of a batch of records |
| `delivered(seconds)` | Keito has a record, so many seconds after it was committed |
| `dropped(count)` | records left memory undelivered |
| `watch(outbox)` | once for each outbox; its `reading()` answers depth by state, and the age of the oldest record |
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Optional, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary, WeakSet

if TYPE_CHECKING:
    from keito.billing.cost import RunCost
    from keito.core.call import Call
    from keito.core.wire import Wire
    from keito.metering import AgentRun

SCOPE = "keito"
_log = logging.getLogger("keito.telemetry")

_Hook = TypeVar("_Hook", bound=Callable[..., None])


class Outbox(Protocol):
    """What is watched."""

    def reading(self) -> tuple[Mapping[str, int], Optional[float]]:
        """Records by state, and the age in seconds of the oldest one that is still to be delivered."""
        ...


class _Telemetry:
    """The tracer and the instruments, made once."""

    def __init__(self, tracer_provider: Any = None, meter_provider: Any = None) -> None:
        from opentelemetry import metrics, trace  # noqa: PLC0415 - only in programs that have it

        self.tracer: Any = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        meter: Any = metrics.get_meter(SCOPE, meter_provider=meter_provider)
        self.tokens = meter.create_counter("keito.gen_ai.token.usage", "{token}", "Tokens of billed runs.")
        self.cost = meter.create_counter("keito.gen_ai.cost", "{USD}", "What model calls cost, where it is known.")
        self.unpriced = meter.create_counter("keito.gen_ai.unpriced", "{call}", "Model calls without a price.")
        self.runs = meter.create_histogram("keito.run.duration", "s", "How long runs took.")
        self.records = meter.create_counter("keito.outbox.records", "{record}", "What became of records.")
        self.latency = meter.create_histogram(
            "keito.outbox.delivery.duration", "s", "From the commit of a record until Keito has it."
        )
        self.dropped = meter.create_counter("keito.outbox.dropped", "{record}", "Records lost to a limit.")
        self.requests = meter.create_histogram("http.client.request.duration", "s", "Attempts of API requests.")
        meter.create_observable_gauge("keito.outbox.depth", [_depths], "{record}", "Records in outboxes.")
        meter.create_observable_gauge("keito.outbox.age", [_ages], "s", "Age of the oldest undelivered record.")


_known: Optional[_Telemetry] = None
_lock = threading.Lock()
_contexts: WeakKeyDictionary[AgentRun, Any] = WeakKeyDictionary()
_outboxes: WeakSet[Outbox] = WeakSet()


def use(tracer_provider: Any = None, meter_provider: Any = None) -> None:
    """Report to these providers, instead of to OpenTelemetry's global ones."""
    global _known  # noqa: PLW0603
    _known = _Telemetry(tracer_provider, meter_provider)


def _telemetry() -> Optional[_Telemetry]:
    global _known  # noqa: PLW0603
    if _known is None and "opentelemetry" in sys.modules:
        with _lock:
            try:
                _known = _known or _Telemetry()
            except ImportError:  # only a part of it is there
                return None
    return _known


def _hook(function: _Hook) -> _Hook:
    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        if _telemetry() is None:
            return
        try:
            function(*args, **kwargs)
        except Exception:  # telemetry is never worth a bill
            _log.debug("%s failed", function.__name__, exc_info=True)

    return cast("_Hook", guarded)


@_hook
def run_started(run: AgentRun) -> None:
    """A run begins. The trace around it is the one that shows it; a supplement is shown by the trace of its run."""
    if run.supplement_to is not None:
        return
    from opentelemetry import trace  # noqa: PLC0415

    around = trace.get_current_span().get_span_context()
    if around.is_valid:
        shown_by(run, around)


@_hook
def shown_by(run: AgentRun, span_context: Any) -> None:
    """A run begins that a span shows."""
    run.trace_id = f"{span_context.trace_id:032x}"
    _contexts[run] = span_context


@_hook
def run_billed(run: AgentRun, project_id: str, cost: RunCost) -> None:
    """A run has ended, and is priced. A supplement is a moment below its run, and no further run."""
    import time  # noqa: PLC0415

    from opentelemetry import trace  # noqa: PLC0415

    telemetry = cast("_Telemetry", _telemetry())
    whole = run.supplement_to
    around = _contexts.get(run if whole is None else whole)
    context = None if around is None else trace.set_span_in_context(trace.NonRecordingSpan(around))
    began, took = (time.time_ns(), 0) if whole is not None else (_epoch_ns(run), run.elapsed_ns)
    status = run.status.value
    span = telemetry.tracer.start_span(
        f"invoke_agent {run.agent_id or ''}".strip(),
        context=context,
        start_time=began,
        attributes=_given(
            {
                "keito.run.id": run.uid,
                "keito.run.status": status,
                "keito.run.supplement_to": None if whole is None else whole.uid,
                "keito.project_id": project_id,
                "gen_ai.agent.id": run.agent_id,
                "gen_ai.conversation.id": run.session_id,
                "gen_ai.usage.input_tokens": cost.usage.input_tokens,
                "gen_ai.usage.output_tokens": cost.usage.output_tokens,
                "gen_ai.operation.name": "invoke_agent",
            }
        ),
    )
    made = span.get_span_context()
    if made.is_valid:
        _contexts[run] = made  # its supplements are below it
        run.trace_id = run.trace_id or f"{made.trace_id:032x}"
    span.end(end_time=began + took)
    if whole is None:
        telemetry.runs.record(took / 1e9, {"keito.run.status": status})
    _count(telemetry, cost)


def _epoch_ns(run: AgentRun) -> int:
    return int(run.started_at.timestamp() * 1e9)


def _count(telemetry: _Telemetry, cost: RunCost) -> None:
    for model in cost.models:
        about = _given({"gen_ai.provider.name": model.provider, "gen_ai.response.model": model.name})
        for kind, tokens in (("input", model.usage.input_tokens), ("output", model.usage.output_tokens)):
            if tokens > 0:
                telemetry.tokens.add(tokens, {**about, "gen_ai.token.type": kind})
        for currency, spent in model.amounts.items():
            if currency == "USD":
                telemetry.cost.add(float(spent), about)
        for reason, calls in model.reasons.items():
            telemetry.unpriced.add(calls, {**about, "keito.reason": str(reason)})


class _Nothing:
    """Stands in for a request's span where nobody watches."""

    def __enter__(self) -> _Nothing:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def ended(self, outcome: Any) -> Any:
        """What became of the attempt."""
        return outcome


_NOTHING = _Nothing()


def request(call: Call[Any], wire: Wire) -> AbstractContextManager[Any]:
    """A span around one attempt of an API request, by the HTTP conventions.

    Instrumentations of HTTP clients are quiet inside: the request is keito's, and no part of the agent's work.
    """
    telemetry = _telemetry()
    if telemetry is None:
        return _NOTHING
    try:
        from keito.telemetry.request_span import RequestSpan  # noqa: PLC0415

        return RequestSpan(telemetry.tracer, telemetry.requests, call, wire)
    except Exception:  # telemetry is never worth a request
        _log.debug("request failed", exc_info=True)
        return _NOTHING


@_hook
def settled(states: Iterable[str], seconds: float) -> None:
    """A relay has committed what became of a batch of records, `seconds` after the first one was sent."""
    import time  # noqa: PLC0415

    telemetry, counts = cast("_Telemetry", _telemetry()), Counter(states)
    for state, count in counts.items():
        telemetry.records.add(count, {"keito.record.state": state})
    now = time.time_ns()
    span = telemetry.tracer.start_span(
        "settle keito.outbox",
        start_time=now - int(seconds * 1e9),
        attributes={
            "messaging.system": "keito",
            "messaging.operation.type": "settle",
            "messaging.destination.name": "keito.outbox",
            "messaging.batch.message_count": sum(counts.values()),
            **{f"keito.records.{state}": count for state, count in counts.items()},
        },
    )
    span.end(end_time=now)


@_hook
def delivered(seconds: float) -> None:
    """Keito has a record, so many seconds after it was committed."""
    cast("_Telemetry", _telemetry()).latency.record(max(0.0, seconds))


@_hook
def dropped(count: int = 1) -> None:
    """Records left memory undelivered."""
    cast("_Telemetry", _telemetry()).dropped.add(count)


def watch(outbox: Outbox) -> None:
    """Report the depth and the age of an outbox whenever metrics are collected, as long as it is in use."""
    _outboxes.add(outbox)


def _readings() -> list[tuple[Mapping[str, int], Optional[float]]]:
    """Those of the outboxes that can be read: one that is damaged or away must not hide the others."""
    found = [_reading(outbox) for outbox in list(_outboxes)]
    return [reading for reading in found if reading is not None]


def _reading(outbox: Outbox) -> Optional[tuple[Mapping[str, int], Optional[float]]]:
    try:
        return outbox.reading()
    except Exception as error:  # the log of its relay says it to operators
        _log.debug("An outbox cannot be read: %s", error)
        return None


def _depths(_: Any) -> Iterable[Any]:
    from opentelemetry.metrics import Observation  # noqa: PLC0415

    total: Counter[str] = Counter()
    for depth, _age in _readings():
        total.update({str(state): count for state, count in depth.items()})
    return [Observation(count, {"keito.record.state": state}) for state, count in total.items()]


def _ages(_: Any) -> Iterable[Any]:
    from opentelemetry.metrics import Observation  # noqa: PLC0415

    ages = [age for _, age in _readings() if age is not None]
    return [Observation(max(ages))] if ages else []


def _given(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}
