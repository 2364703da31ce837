"""Spans that end late, or never; spans that are not sampled; processes that fork."""

from __future__ import annotations

import gc
import os
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk")
pytest.importorskip("genai_prices")

from opentelemetry.baggage import set_baggage
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import NonRecordingSpan, set_span_in_context

from keito import Keito
from keito.billing import AgentBilling
from keito.sandbox import SandboxServer

from .conftest import AGENT, CHAT, Tracing, usage


def within(seconds: float, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def chat(tracer: Any, **more: Any) -> None:
    with tracer.start_as_current_span("chat", attributes=CHAT | usage() | more):
        pass


def chat_of(tracer: Any, parent: Any, about: dict[str, Any]) -> Any:
    return tracer.start_span("chat", set_span_in_context(parent), attributes=CHAT | about)


def test_a_call_that_ends_after_its_root_becomes_a_supplement(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT) as root:
        chat(tracer)
        late = tracer.start_span("chat", attributes=CHAT)
    assert tracing.bill().tokens == [(1000, 100)]
    late.set_attributes(usage(50, 5))
    late.end()
    later = tracer.start_span("chat", context=set_span_in_context(root), attributes=CHAT | usage(7, 1))
    later.end()  # started after the end, with the root as its parent

    def arrived() -> bool:
        costs = [expense.metadata["model"]["tokens_in"] for expense in tracing.bill().expenses]
        return sum(costs) == 1057

    within(10, arrived)
    assert len({expense.metadata["keito"]["key"] for expense in tracing.bill().expenses}) > 1


def test_an_agent_that_starts_when_all_before_it_has_ended_is_a_run_of_its_own(tracing: Tracing) -> None:
    """OpenLLMetry leaves spans of LangChain behind as the current ones."""
    tracer = tracing.tracer("opentelemetry.instrumentation.langchain")
    around = set_baggage("keito.session_id", "chat-1")
    for number in (1, 2, 3):
        with tracer.start_as_current_span(f"Ticket {number}.workflow", context=around) as left_behind:
            chat(tracer, **usage(number))
            left_behind.set_attributes(AGENT)
        around = set_span_in_context(left_behind, set_baggage("keito.session_id", f"chat-{number + 1}"))
    found = tracing.bill()
    assert found.tokens == [(1, 100), (2, 100), (3, 100)]
    sessions = {entry.notes: entry.metadata["session_id"] for entry in found.time}
    assert sessions == {f"Ticket {number}.workflow": f"chat-{number}" for number in (1, 2, 3)}
    assert all("supplement" not in expense.metadata["keito"].get("flags", ()) for expense in found.expenses)


def test_a_call_that_has_not_ended_with_its_root_is_flagged(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT):
        tracer.start_span("chat", attributes=CHAT)
    facts = tracing.bill().facts
    assert facts["unpriced"] == [{"model": "gpt-5-mini", "reason": "did not end before its run", "calls": 1}]


def test_a_root_that_never_ends_is_billed_as_abandoned(traced: Any) -> None:
    tracing = traced(expire_after=0.05)
    tracer = tracing.tracer()
    root = tracer.start_span("agent", attributes=AGENT)
    with tracer.start_as_current_span("chat", context=set_span_in_context(root), attributes=CHAT | usage()):
        pass

    def expired() -> bool:
        with tracer.start_as_current_span("something else"):
            return bool(tracing.bill().time)

    within(10, expired)
    root.end()
    found = tracing.bill()
    assert (found.tokens, found.facts["status"], found.time[0].billable) == ([(1000, 100)], "abandoned", False)


def test_a_call_that_outlives_a_given_up_root_is_billed_beside_it(traced: Any) -> None:
    tracing = traced(expire_after=0.05)
    tracer = tracing.tracer()
    root = tracer.start_span("agent", attributes=AGENT)
    chat_of(tracer, root, usage()).end()
    late = chat_of(tracer, root, {})

    def expired() -> bool:
        tracer.start_span("something else").end()
        return bool(tracing.bill().time)

    within(10, expired)
    late.set_attributes(usage(5, 6))
    late.end()
    again = tracer.start_span("goes on", set_span_in_context(root), attributes=AGENT)
    chat_of(tracer, again, usage(3, 4)).end()
    again.end()
    root.end()
    found = tracing.bill()
    assert found.tokens == [(1000, 100), (3, 4)]
    assert {expense.metadata["model"]["tokens_in"] for expense in found.expenses} == {1000, 5, 3}
    assert len(found.expenses) == 3


def test_of_an_ended_root_only_ids_are_kept_for_late_spans(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    root = tracer.start_span("agent", attributes=AGENT | {"input.value": "a long prompt"})
    late = chat_of(tracer, root, usage(5, 6))
    chat_of(tracer, root, usage()).end()
    around, kept = set_span_in_context(NonRecordingSpan(root.get_span_context())), weakref.ref(root)
    root.end()
    late.end()
    del root, late
    gc.collect()
    assert kept() is None
    tracer.start_span("chat", around, attributes=CHAT | usage(7, 8)).end()
    assert {expense.metadata["model"]["tokens_in"] for expense in tracing.bill().expenses} == {1000, 12}


def test_ended_roots_are_forgotten_early_where_there_are_too_many(
    tracing: Tracing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keito_otel.table._MOST_ENDED", 2)
    tracer = tracing.tracer()
    late: list[Any] = []
    for number in range(4):
        with tracer.start_as_current_span(f"agent {number}", attributes=AGENT) as root:
            late.append(chat_of(tracer, root, usage(10 + number)))
    assert len(tracing.processor._table) == 2
    for span in late:
        span.end()
    assert {expense.metadata["model"]["tokens_in"] for expense in tracing.bill().expenses} == {12, 13}


def test_work_after_the_shutdown_is_said_once(
    traced: Any,
    keito_sandbox: SandboxServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("KEITO_API_KEY", keito_sandbox.api_key)
    monkeypatch.setenv("KEITO_ACCOUNT_ID", keito_sandbox.account_id)
    monkeypatch.setenv("KEITO_BASE_URL", keito_sandbox.url)
    monkeypatch.setenv("KEITO_OUTBOX_URL", f"sqlite:///{tmp_path / 'outbox.db'}")
    tracing = traced(None, project_id=keito_sandbox.project_id, task_id=keito_sandbox.task_id)
    tracing.provider.shutdown()
    assert "after the shutdown" not in caplog.text
    for _ in range(3):
        tracing.tracer().start_span("agent", attributes=AGENT)
    assert caplog.text.count("An agent works after the shutdown of its KeitoSpanProcessor") == 1


def test_tracing_that_is_switched_off_is_said(
    traced: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    traced()
    assert "nothing is billed" not in caplog.text
    monkeypatch.setenv("OTEL_SDK_DISABLED", "TRUE")
    tracing = traced()
    chat(tracing.tracer())
    assert caplog.text.count("OTEL_SDK_DISABLED is set") == 1
    assert tracing.bill().time == []


def test_outcomes_in_events_that_opentelemetry_drops_are_said(
    tracing: Tracing, caplog: pytest.LogCaptureFixture
) -> None:
    about = {"keito.outcome.type": "ticket_resolved", "keito.outcome.unit_price": "0.99"}
    with tracing.tracer().start_as_current_span("agent", attributes=AGENT) as span:
        for _ in range(128):
            span.add_event("keito.outcome", about)
        assert span.dropped_events == 0
        for _ in range(3):
            span.add_event("something else")
    assert len(tracing.bill().outcomes) == 125
    assert "has dropped 3 events of span 'agent'" in caplog.text


def test_what_is_open_at_the_shutdown_is_billed_as_abandoned(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    root = tracer.start_span("agent", attributes=AGENT)
    with tracer.start_as_current_span("chat", context=set_span_in_context(root), attributes=CHAT | usage()):
        pass
    tracing.provider.shutdown()
    root.end()
    found = tracing.bill()
    assert (found.tokens, found.facts["status"]) == ([(1000, 100)], "abandoned")


def test_a_span_that_a_sampler_drops_is_not_billed(traced: Any) -> None:
    tracing = traced(sampler=ALWAYS_OFF)
    with tracing.tracer().start_as_current_span("agent", attributes=AGENT):
        chat(tracing.tracer())
    assert tracing.bill().time == []


def test_metering_before_sampling_bills_what_is_not_exported(traced: Any) -> None:
    from keito_otel import MeteringSampler

    tracing = traced(sampler=MeteringSampler(ParentBased(ALWAYS_OFF)))
    exporter = InMemorySpanExporter()
    tracing.provider.add_span_processor(SimpleSpanProcessor(exporter))
    with tracing.tracer().start_as_current_span("agent", attributes=AGENT) as root:
        chat(tracing.tracer())
        assert not root.get_span_context().trace_flags.sampled
    assert tracing.bill().tokens == [(1000, 100)]
    assert exporter.get_finished_spans() == ()


def test_metering_before_sampling_leaves_sampled_spans_to_exporters(traced: Any) -> None:
    from keito_otel import MeteringSampler

    tracing = traced(sampler=MeteringSampler())
    exporter = InMemorySpanExporter()
    tracing.provider.add_span_processor(SimpleSpanProcessor(exporter))
    with tracing.tracer().start_as_current_span("agent", attributes=AGENT):
        chat(tracing.tracer())
    assert [span.name for span in exporter.get_finished_spans()] == ["chat", "agent"]
    assert tracing.bill().tokens == [(1000, 100)]


def test_nothing_is_kept_of_ended_traces(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    for _ in range(50):
        with tracer.start_as_current_span("agent", attributes=AGENT):
            chat(tracer)
        with tracer.start_as_current_span("GET /"):
            pass
    assert len(tracing.processor._table) == 0
    gc.collect()


def test_the_agent_goes_on_when_billing_fails(traced: Any, billing: AgentBilling, keito_client: Keito) -> None:
    broken = AgentBilling(billing.policy, keito_client)
    tracing = traced(broken)
    broken.start = broken.finish = None  # type: ignore[assignment, method-assign]
    with tracing.tracer().start_as_current_span("agent", attributes=AGENT):
        chat(tracing.tracer())
    assert broken.guard.count > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_does_not_bill_its_parents_run(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT) as root:
        chat(tracer)
        pid = os.fork()
        if pid == 0:
            try:
                root.end()
                tracing.processor.billing.close()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
    found = tracing.bill()
    assert (found.tokens, len(found.expenses)) == ([(1000, 100)], 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_bills_its_own_work(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT):
        pid = os.fork()
        if pid == 0:
            try:
                chat(tracer, **{"gen_ai.usage.input_tokens": 30})
                os._exit(0 if tracing.processor.flush().complete else 1)
            finally:
                os._exit(2)
        assert os.waitpid(pid, 0)[1] == 0
    assert sorted(tracing.bill().tokens) == [(0, 0), (30, 100)]


def test_the_table_gives_up_its_oldest_root_where_there_are_too_many_spans() -> None:
    from keito_otel.table import SpanTable
    from opentelemetry.sdk.trace import TracerProvider

    table, tracer = SpanTable(limit=3), TracerProvider(shutdown_on_exit=False).get_tracer("t")
    roots = [tracer.start_span(str(number)) for number in range(5)]
    nodes = [table.add(root, "t", {}) for root in roots]
    given_up = []
    while table.is_full:
        (late,) = table.overdue(-1)  # all are idle, and one is enough
        table.close(late, waits=False)
        given_up.append(late)
    assert given_up == [node.root for node in nodes[:2] if node is not None]
    assert len(table) == 3
