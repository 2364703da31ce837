"""Spans beside keito's other ways to meter: nothing is billed twice."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk")
pytest.importorskip("genai_prices")

from keito import Keito
from keito.billing import AgentBilling
from keito.metering import current_run, record_llm_call
from keito.metering.framework_call import FrameworkCall
from keito.outbox import FlushReport

from .conftest import AGENT, CHAT, Tracing, usage


def chat(tracer: Any, **more: Any) -> None:
    with tracer.start_as_current_span("chat", attributes=CHAT | usage() | more):
        pass


def test_a_span_inside_a_block_is_a_part_of_it(tracing: Tracing, billing: AgentBilling) -> None:
    with billing.run("Ticket 4821"):
        for _ in range(2):
            with tracing.tracer().start_as_current_span("agent", attributes=AGENT):
                chat(tracing.tracer())
    found = tracing.bill()
    assert [entry.notes for entry in found.time] == ["Ticket 4821"]
    assert found.tokens == [(2000, 200)]


class Crowded(dict[str, None]):
    """Ids that two threads look up at the very same time, if nothing keeps them from it."""

    def __init__(self) -> None:
        super().__init__()
        self.both = threading.Barrier(2)

    def __contains__(self, key: object) -> bool:
        found = super().__contains__(key)
        with suppress(threading.BrokenBarrierError):
            self.both.wait(0.5)
        return found


def test_two_threads_that_report_one_answer_at_a_time_bill_it_once(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    tracing.processor._meter._ids = Crowded()
    about = CHAT | usage(**{"gen_ai.response.id": "resp_68a1b2c3d4e5f607"})

    def agent() -> None:
        with tracer.start_as_current_span("agent", attributes=AGENT), tracer.start_as_current_span("chat") as span:
            span.set_attributes(about)

    threads = [threading.Thread(target=agent) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(tracing.bill().tokens) == [(0, 0), (1000, 100)]


def test_a_span_inside_a_block_of_another_billing_for_the_same_account_is_a_part_of_it(
    tracing: Tracing, billing: AgentBilling, keito_client: Keito
) -> None:
    other = AgentBilling(billing.policy, keito_client)
    with other.run("Ticket 4821"), tracing.tracer().start_as_current_span("agent", attributes=AGENT):
        chat(tracing.tracer())
    assert other.flush().complete
    found = tracing.bill()
    assert [entry.notes for entry in found.time] == ["Ticket 4821"]
    assert found.tokens == [(1000, 100)]


def test_calls_in_a_block_that_is_billed_by_itself_are_the_blocks(
    tracing: Tracing, billing: AgentBilling, keito_client: Keito
) -> None:
    other = keito_client.projects.create(client_id="cli_acme", name="Onboarding", is_billable=True).id
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT):
        chat(tracer)
        with billing.run("Onboard", project_id=other):
            chat(tracer)
        chat(tracer)
    found = tracing.bill()
    assert {entry.project_id: entry.metadata["model"]["tokens_in"] for entry in found.time} == {
        "proj_support": 2000,
        other: 1000,
    }


def test_a_call_that_a_metered_client_recorded_counts_once(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT):
        with tracer.start_as_current_span("chat", attributes=CHAT | usage(), end_on_exit=False) as span:
            record_llm_call(model="gpt-5-mini", input_tokens=1000, output_tokens=100, response_id="chatcmpl-1")
            span.set_attribute("gen_ai.response.id", "chatcmpl-1")
        span.end()
    assert tracing.bill().tokens == [(1000, 100)]


def test_a_call_whose_id_only_the_metered_client_knows_counts_once(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with (
        tracer.start_as_current_span("agent", attributes=AGENT),
        tracer.start_as_current_span("chat", attributes=CHAT | usage()),
    ):
        record_llm_call(model="gpt-5-mini", input_tokens=1000, output_tokens=100, response_id="chatcmpl-1")
        call = FrameworkCall.current()
        assert call is not None
        call.response_id = "chatcmpl-1"  # as a metered client does
    assert tracing.bill().tokens == [(1000, 100)]


@pytest.mark.parametrize("span_first", [True, False])
def test_a_call_that_another_integration_reports_counts_once(
    tracing: Tracing, billing: AgentBilling, span_first: bool
) -> None:
    tracer = tracing.tracer()
    with billing.run("agent") as run:
        call = None if span_first else FrameworkCall.enter()
        span = tracer.start_span("chat", attributes=CHAT | usage())
        call = call or FrameworkCall.enter()
        span.end()
        call.leave()
        run.record_llm_call(model="gpt-5-mini", input_tokens=1000, output_tokens=100)
    assert tracing.bill().tokens == [(1000, 100)]


def test_the_span_of_a_client_tells_the_integration_above_the_id_of_the_answer(
    tracing: Tracing, billing: AgentBilling
) -> None:
    with billing.run("agent") as run:
        call = FrameworkCall.enter()
        chat(tracing.tracer(), **{"gen_ai.response.id": "chatcmpl-1"})
        call.leave()
        assert call.response_id == "chatcmpl-1"
        run.record_llm_call(model="gpt-5-mini", input_tokens=1000, output_tokens=100, response_id=call.response_id)
    assert tracing.bill().tokens == [(1000, 100)]


def test_a_span_in_a_model_call_that_is_a_run_of_another_integration_is_no_run(
    tracing: Tracing, billing: AgentBilling
) -> None:
    run = billing.start("ChatOpenAI")  # as the callback handler does: the run is not the current one
    call = FrameworkCall.enter()
    chat(tracing.tracer())
    call.leave()
    run.record_llm_call(model="gpt-5-mini", input_tokens=1000, output_tokens=100)
    billing.finish(run)
    chat(tracing.tracer())  # and the next one is
    found = tracing.bill()
    assert sorted(str(entry.notes) for entry in found.time) == ["ChatOpenAI", "chat"]
    assert found.tokens == [(1000, 100)] * 2


def test_embeddings_that_a_metered_client_recorded_count_once(tracing: Tracing, billing: AgentBilling) -> None:
    from datetime import datetime, timezone

    from keito.metering import LLMCall, Usage

    embeddings = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "text-embedding-3-small"}
    with billing.run("agent") as run:
        for metered in (True, False):
            span = tracing.tracer().start_span("e", attributes=embeddings | {"gen_ai.usage.input_tokens": 7})
            if metered:
                now = datetime.now(timezone.utc)
                run.record(
                    LLMCall(now, now, requested_model="text-embedding-3-small", usage=Usage(7), operation="embeddings")
                )
            span.end()
    assert tracing.bill().tokens == [(14, 0)]


def test_two_processors_bill_a_span_once(traced: Any, billing: AgentBilling, keito_client: Keito) -> None:
    from keito_otel import KeitoSpanProcessor

    tracing = traced()
    tracing.provider.add_span_processor(tracing.processor)
    tracing.provider.add_span_processor(KeitoSpanProcessor(billing))
    tracing.provider.add_span_processor(KeitoSpanProcessor(AgentBilling(billing.policy, keito_client)))
    tracer = tracing.tracer()
    with tracer.start_as_current_span("POST"), tracer.start_as_current_span("agent", attributes=AGENT):
        chat(tracer)
    assert tracing.bill().tokens == [(1000, 100)]


def test_two_processors_for_two_projects_bill_a_span_once_and_say_so(
    traced: Any, billing: AgentBilling, keito_client: Keito, caplog: pytest.LogCaptureFixture
) -> None:
    from dataclasses import replace

    from keito_otel import KeitoSpanProcessor

    tracing, policy = traced(), replace(billing.policy, project_id="another")
    tracing.provider.add_span_processor(KeitoSpanProcessor(AgentBilling(policy, keito_client)))
    with tracing.tracer().start_as_current_span("agent", attributes=AGENT):
        chat(tracing.tracer())
    assert tracing.bill().tokens == [(1000, 100)]
    assert "to project proj_support; nothing of them goes to another" in caplog.text


class Elsewhere:
    """Another account of Keito."""

    destination = "https://staging.example acc_other"

    def __init__(self) -> None:
        self.records: list[Any] = []

    def deliver(self, records: Any) -> None:
        self.records += records

    def flush(self, timeout: float = 10.0) -> FlushReport:
        return FlushReport()

    def close(self) -> None:
        pass


def test_two_processors_for_two_accounts_bill_a_span_to_each(traced: Any, billing: AgentBilling) -> None:
    from keito_otel import KeitoSpanProcessor

    tracing, other = traced(), Elsewhere()
    tracing.provider.add_span_processor(KeitoSpanProcessor(AgentBilling(billing.policy, delivery=other)))
    with tracing.tracer().start_as_current_span("agent", attributes=AGENT):
        chat(tracing.tracer())
    assert tracing.bill().tokens == [(1000, 100)]
    assert sorted(record.kind for record in other.records) == ["expense", "time_entry"]


@pytest.mark.parametrize("in_agent", [True, False])
def test_a_call_that_another_integration_bills_to_another_account_is_billed_here_too(
    in_agent: bool, tracing: Tracing, billing: AgentBilling
) -> None:
    with AgentBilling(billing.policy, delivery=Elsewhere()).run("Ticket 4821") as run:
        call = FrameworkCall.enter()
        call.run = run
        if in_agent:
            with tracing.tracer().start_as_current_span("agent", attributes=AGENT):
                chat(tracing.tracer())
        else:
            chat(tracing.tracer())
        call.leave()
    assert tracing.bill().tokens == [(1000, 100)]


def test_the_context_is_as_it_was_afterwards(tracing: Tracing, billing: AgentBilling) -> None:
    with billing.run("outside") as run:
        with tracing.tracer().start_as_current_span("agent", attributes=AGENT):
            chat(tracing.tracer())
        assert current_run() is run
    assert current_run() is None
    assert FrameworkCall.current() is None
