"""What keito shows of itself: spans and metrics, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk")
pytest.importorskip("genai_prices")

import httpx
from opentelemetry import context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from keito import Keito, KeitoNotFoundError, telemetry
from keito.billing import AgentBilling
from keito.outbox import OutboxError
from keito.sandbox import SandboxServer

from .conftest import AGENT, CHAT, Tracing, usage


class Watched:
    """Spans and metrics that keito has reported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    def spans(self, name: str) -> list[Any]:
        return [span for span in self.exporter.get_finished_spans() if span.name.startswith(name)]

    def metrics(self) -> dict[str, list[Any]]:
        data: Any = self.reader.get_metrics_data()
        found = [metric for one in data.resource_metrics for scope in one.scope_metrics for metric in scope.metrics]
        return {metric.name: list(metric.data.data_points) for metric in found}


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(telemetry, "_known", None)
    watched = Watched()
    telemetry.use(watched.tracers, watched.meters)
    yield watched
    watched.tracers.shutdown()
    watched.meters.shutdown()


def run(billing: AgentBilling) -> None:
    with billing.run("Ticket 4821", session_id="chat-77") as one:
        one.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1000, output_tokens=100)
        one.record_llm_call(provider="openai", model="gpt-imaginary", input_tokens=7, output_tokens=0)
    assert billing.flush().complete


def test_a_run_has_a_span_that_its_records_lead_to(
    watched: Watched, billing: AgentBilling, keito_client: Keito
) -> None:
    with watched.tracers.get_tracer("program").start_as_current_span("request") as request:
        run(billing)
    (span,) = watched.spans("invoke_agent")
    assert span.parent.span_id == request.get_span_context().span_id
    assert span.attributes["keito.project_id"] == "proj_support"
    assert span.attributes["gen_ai.conversation.id"] == "chat-77"
    assert span.attributes["gen_ai.usage.input_tokens"] == 1007
    (time,) = keito_client.time_entries.list(source="agent")
    assert time.metadata["run"]["trace_id"] == f"{span.context.trace_id:032x}"


def test_a_run_outside_of_any_trace_leads_to_a_trace_of_its_own(
    watched: Watched, billing: AgentBilling, keito_client: Keito
) -> None:
    run(billing)
    (span,) = watched.spans("invoke_agent")
    (time,) = keito_client.time_entries.list(source="agent")
    assert time.metadata["run"]["trace_id"] == f"{span.context.trace_id:032x}"


def test_tokens_cost_and_what_has_no_price(watched: Watched, billing: AgentBilling) -> None:
    run(billing)
    metrics = watched.metrics()
    tokens = {
        (point.attributes["gen_ai.response.model"], point.attributes["gen_ai.token.type"]): point.value
        for point in metrics["keito.gen_ai.token.usage"]
    }
    assert tokens == {
        ("gpt-5-mini", "input"): 1000,
        ("gpt-5-mini", "output"): 100,
        ("gpt-imaginary", "input"): 7,
    }
    (cost,) = metrics["keito.gen_ai.cost"]
    assert cost.value == pytest.approx(0.00045)
    (unpriced,) = metrics["keito.gen_ai.unpriced"]
    assert (unpriced.value, unpriced.attributes["keito.reason"]) == (1, "unknown model")
    (duration,) = metrics["keito.run.duration"]
    assert (duration.count, duration.attributes) == (1, {"keito.run.status": "completed"})


def test_a_supplement_is_shown_in_the_trace_of_its_run_and_is_no_run(
    watched: Watched, billing: AgentBilling, keito_client: Keito
) -> None:
    with billing.run("Ticket 4821") as one:
        pass
    with watched.tracers.get_tracer("program").start_as_current_span("something else"):
        one.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1000, output_tokens=100)
    assert billing.flush().complete
    whole, late = watched.spans("invoke_agent")
    assert (late.context.trace_id, late.parent.span_id) == (whole.context.trace_id, whole.context.span_id)
    assert late.attributes["keito.run.supplement_to"] == whole.attributes["keito.run.id"]
    (expense,) = keito_client.expenses.list(source="agent")
    assert expense.metadata["run"]["trace_id"] == f"{whole.context.trace_id:032x}"
    (duration,) = watched.metrics()["keito.run.duration"]
    assert duration.count == 1


def test_what_the_outbox_does(watched: Watched, billing: AgentBilling, keito_client: Keito, tmp_path: Any) -> None:
    stored = AgentBilling(billing.policy, keito_client, outbox=f"sqlite:///{tmp_path / 'outbox.db'}")
    run(stored)
    metrics = watched.metrics()
    states = {point.attributes["keito.record.state"]: point.value for point in metrics["keito.outbox.records"]}
    assert states == {"delivered": 2}
    assert sum(point.count for point in metrics["keito.outbox.delivery.duration"]) == 2
    depth = {point.attributes["keito.record.state"]: point.value for point in metrics["keito.outbox.depth"]}
    assert depth["delivered"] >= 2
    stored.close()
    batches = watched.spans("settle keito.outbox")
    assert sum(span.attributes["messaging.batch.message_count"] for span in batches) == 2


class Damaged:
    """An outbox that cannot be read."""

    def reading(self) -> Any:
        raise OutboxError("it is no SQLite database")


def test_an_outbox_that_cannot_be_read_hides_no_other_one(
    watched: Watched, billing: AgentBilling, keito_client: Keito, tmp_path: Any
) -> None:
    damaged = Damaged()
    telemetry.watch(damaged)
    stored = AgentBilling(billing.policy, keito_client, outbox=f"sqlite:///{tmp_path / 'outbox.db'}")
    run(stored)
    depth = {point.attributes["keito.record.state"]: point.value for point in watched.metrics()["keito.outbox.depth"]}
    assert depth["delivered"] >= 2
    stored.close()


def test_a_request_by_the_http_conventions(watched: Watched, keito_sandbox: SandboxServer, keito_client: Keito) -> None:
    with pytest.raises(KeitoNotFoundError):
        keito_client.clients.get("cli_nobody")
    (span,) = watched.spans("GET")
    about = dict(span.attributes)
    assert (about["http.request.method"], about["http.response.status_code"], about["error.type"]) == (
        "GET",
        404,
        "404",
    )
    assert (about["server.address"], about["server.port"]) == ("127.0.0.1", int(keito_sandbox.url.rpartition(":")[2]))
    assert "kto_sandbox" not in str(span.to_json())
    (duration,) = watched.metrics()["http.client.request.duration"]
    assert duration.count == 1


def test_instrumentations_of_http_clients_are_quiet_inside(watched: Watched, keito_sandbox: SandboxServer) -> None:
    seen: list[Any] = []

    def look(_: httpx.Request) -> None:
        seen.append(context.get_value("suppress_instrumentation"))

    with (
        httpx.Client(event_hooks={"request": [look]}) as http,
        Keito(api_key="kto_sandbox", account_id="acc_sandbox", base_url=keito_sandbox.url, httpx_client=http) as keito,
    ):
        keito.users.me()
    assert seen == [True]
    assert context.get_value("suppress_instrumentation") is None


def test_its_own_spans_are_nobodys_work(traced: Any, billing: AgentBilling, monkeypatch: pytest.MonkeyPatch) -> None:
    tracing: Tracing = traced()
    monkeypatch.setattr(telemetry, "_known", None)
    telemetry.use(tracing.provider)
    tracer = tracing.tracer()
    with (
        tracer.start_as_current_span("agent", attributes=AGENT),
        tracer.start_as_current_span("chat", attributes=CHAT | usage()),
    ):
        pass
    for _ in range(2):
        found = tracing.bill()
    assert (found.tokens, len(found.expenses)) == ([(1000, 100)], 1)


def test_a_broken_exporter_costs_no_bill(watched: Watched, billing: AgentBilling, keito_client: Keito) -> None:
    known: Any = telemetry._known
    known.tracer = known.tokens = None
    run(billing)
    assert len(list(keito_client.time_entries.list(source="agent"))) == 1


def test_a_program_without_opentelemetry_does_not_load_it() -> None:
    code = (
        "import sys; from keito import Keito; from keito.billing import AgentBilling; "
        "from keito.outbox import DirectDelivery; "
        "k = Keito(api_key='k', account_id='a', base_url='http://127.0.0.1:9'); "
        "b = AgentBilling(delivery=DirectDelivery(k, timeout=1), project_id='p', task_id='t'); "
        "b.run('x').__enter__(); print([m for m in sys.modules if m.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
