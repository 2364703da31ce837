"""Where a run is billed to, and what it achieved: what spans and baggage say of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk")
pytest.importorskip("genai_prices")

from opentelemetry import baggage, context
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.trace import TracerProvider

from keito import Keito
from keito.billing import AgentBilling, Outcome
from keito.metering import current_run, log_outcome

from .conftest import AGENT, CHAT, Tracing, usage

OUTCOME = {"keito.outcome.type": "ticket_resolved", "keito.outcome.unit_price": "0.99"}


@pytest.fixture
def other_project(keito_sandbox: Any, keito_client: Keito) -> str:
    return keito_client.projects.create(client_id="cli_acme", name="Onboarding", is_billable=True).id


def work(tracing: Tracing, attributes: Any = None, **more: Any) -> None:
    tracer = tracing.tracer()
    with (
        tracer.start_as_current_span("agent", attributes={**AGENT, **(attributes or {})}),
        tracer.start_as_current_span("chat", attributes=CHAT | usage() | more),
    ):
        pass


def in_baggage(**entries: str) -> Any:
    carried = context.get_current()
    for name, value in entries.items():
        carried = baggage.set_baggage(f"keito.{name}", value, carried)
    return context.attach(carried)


def test_attributes_name_project_task_agent_and_session(tracing: Tracing, other_project: str) -> None:
    names = {"project_id": other_project, "task_id": "task_tickets", "agent_id": "triage", "session_id": "chat-77"}
    work(tracing, {f"keito.{name}": value for name, value in names.items()})
    found = tracing.bill()
    (time,), (expense,) = found.time, found.expenses
    assert (time.project_id, expense.project_id) == (other_project, other_project)
    assert time.metadata["agent"]["id"] == "triage"
    assert time.metadata["session_id"] == expense.metadata["session_id"] == "chat-77"


def test_baggage_names_them_too(tracing: Tracing, other_project: str) -> None:
    token = in_baggage(project_id=other_project, agent_id="triage", session_id="chat-77")
    try:
        work(tracing)
    finally:
        context.detach(token)
    (time,) = tracing.bill().time
    assert (time.project_id, time.metadata["session_id"]) == (other_project, "chat-77")
    assert time.metadata["agent"]["id"] == "triage"


def test_a_spans_own_attribute_wins_over_baggage(tracing: Tracing, other_project: str) -> None:
    token = in_baggage(project_id="proj_support")
    try:
        work(tracing, {"keito.project_id": other_project})
    finally:
        context.detach(token)
    assert tracing.bill().time[0].project_id == other_project


def test_a_policy_is_chosen_by_what_else_baggage_says(
    traced: Any, keito_client: Keito, billing: AgentBilling, other_project: str
) -> None:
    from dataclasses import replace

    def resolve(run: Any) -> Any:
        return replace(billing.policy, project_id=other_project) if run.attributes.get("tenant") == "acme" else None

    tracing = traced(AgentBilling(billing.policy, keito_client, resolve=resolve))
    token = in_baggage(tenant="acme")
    try:
        work(tracing)
    finally:
        context.detach(token)
    assert tracing.bill().time[0].project_id == other_project


def test_an_agent_whose_id_is_random_goes_by_its_name(tracing: Tracing) -> None:
    """Semantic Kernel and OpenLLMetry make up an id for each object or run."""
    tracer = tracing.tracer()
    for id in ("3096bcdb-3521-4d9b-a37b-98322101c397", "01a20908-9ad3-746b-a85f-7445d4041c0e", "asst_7"):
        with tracer.start_as_current_span("agent", attributes={**AGENT, "gen_ai.agent.id": id}):
            pass
    assert {entry.metadata["agent"]["id"] for entry in tracing.bill().time} == {"helper", "asst_7"}


def test_the_outermost_agent_names_run_and_session(tracing: Tracing) -> None:
    """Strands and Google ADK name agents and sessions after the start of their spans, and inner spans end first."""
    tracer = tracing.tracer("strands.telemetry.tracer")
    with tracer.start_as_current_span("boss") as outer, tracer.start_as_current_span("inner") as inner:
        inner.set_attributes({**AGENT, "gen_ai.conversation.id": "chat-78"})
        outer.set_attributes({**AGENT, "gen_ai.agent.name": "boss", "gen_ai.conversation.id": "chat-77"})
    (time,) = tracing.bill().time
    assert time.metadata["agent"] == {"id": "boss", "framework": "strands-agents"}
    assert time.metadata["session_id"] == "chat-77"


@pytest.mark.parametrize(
    ("scope", "framework"),
    [
        ("strands.telemetry.tracer", "strands-agents"),
        ("gcp.vertex.agent", "google-adk"),
        ("semantic_kernel.utils.telemetry.agent_diagnostics.decorators", "semantic-kernel"),
        ("openinference.instrumentation.llama_index", "llama_index"),
        ("opentelemetry.instrumentation.openai.v1", "openai"),
        ("acme.agents", None),
    ],
)
def test_the_framework_is_known_by_who_made_the_spans(tracing: Tracing, scope: str, framework: Any) -> None:
    with tracing.tracer(scope).start_as_current_span("agent", attributes=AGENT):
        pass
    assert tracing.bill().time[0].metadata["agent"].get("framework") == framework


@pytest.mark.parametrize("name", ["gen_ai.conversation.id", "session.id"])
def test_a_conversation_joins_runs_of_two_services(tracing: Tracing, name: str) -> None:
    tracer = tracing.tracer()
    carrier: dict[str, str] = {}
    with TracerProvider(shutdown_on_exit=False).get_tracer("caller").start_as_current_span("caller"):
        inject(carrier)
    for number in (1, 2):
        with (
            tracer.start_as_current_span(f"part {number}", context=extract(carrier), attributes=AGENT),
            tracer.start_as_current_span("chat", attributes={**CHAT, **usage(), name: "chat-77"}),
        ):
            pass
    found = tracing.bill()
    assert sorted(str(entry.notes) for entry in found.time) == ["part 1", "part 2"]
    assert {entry.metadata["session_id"] for entry in [*found.time, *found.expenses]} == {"chat-77"}


@pytest.mark.parametrize("name", ["gen_ai.conversation.id", "session.id"])
def test_a_conversation_in_baggage_joins_runs_and_a_spans_own_wins(tracing: Tracing, name: str) -> None:
    token = context.attach(baggage.set_baggage(name, "chat-77"))
    try:
        work(tracing)
        work(tracing, {name: "chat-78"})
    finally:
        context.detach(token)
    assert sorted(str(entry.metadata["session_id"]) for entry in tracing.bill().time) == ["chat-77", "chat-78"]


def test_services_of_one_trace_share_a_session_without_any_name(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    carrier: dict[str, str] = {}
    with tracer.start_as_current_span("caller", attributes=AGENT):
        inject(carrier)
    with tracer.start_as_current_span("called", context=extract(carrier), attributes=AGENT):
        pass
    assert len({entry.metadata["session_id"] for entry in tracing.bill().time}) == 1


def test_an_outcome_of_attributes(tracing: Tracing) -> None:
    evidence = {"keito.outcome.evidence": '{"ticket":"4821"}', "keito.outcome.description": "Ticket 4821"}
    work(tracing, {**OUTCOME, **evidence, "keito.outcome.quantity": 2})
    (outcome,) = tracing.bill().outcomes
    assert (outcome.notes, outcome.billable, outcome.hours) == ("Ticket 4821", True, 0)
    assert outcome.metadata["outcome_unit_price"] == 0.99
    assert (outcome.metadata["outcome_quantity"], outcome.metadata["outcome_evidence"]) == (2, {"ticket": "4821"})


def test_an_outcome_of_each_event(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT), tracer.start_as_current_span("close") as span:
        for ticket in ("1", "2"):
            span.add_event("keito.outcome", {**OUTCOME, "keito.outcome.description": ticket})
        span.add_event("something else", {"keito.outcome.type": "no"})
    assert sorted(str(entry.notes) for entry in tracing.bill().outcomes) == ["1", "2"]


def test_an_outcome_makes_a_run_of_a_trace_without_model_calls(tracing: Tracing) -> None:
    with tracing.tracer().start_as_current_span("close ticket") as span:
        span.set_attributes(OUTCOME)
    found = tracing.bill()
    assert ([entry.notes for entry in found.time], len(found.outcomes)) == (["close ticket"], 1)


def test_code_in_a_span_logs_outcomes_to_its_run(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT):
        assert log_outcome(Outcome("ticket_resolved", 0.99))
    assert current_run() is None
    assert len(tracing.bill().outcomes) == 1


def test_an_outcome_that_is_none_is_said_and_the_rest_is_billed(
    traced: Any, billing: AgentBilling, keito_client: Keito, caplog: pytest.LogCaptureFixture
) -> None:
    tracing = traced(AgentBilling(billing.policy, keito_client))
    with caplog.at_level(logging.ERROR, "keito.billing"):
        work(tracing, {"keito.outcome.type": "x", "keito.outcome.unit_price": "cheap"})
    found = tracing.bill()
    assert (found.tokens, found.outcomes, tracing.processor.billing.guard.count) == ([(1000, 100)], [], 1)
    assert caplog.messages == [
        "An outcome of span 'agent' is not billed: Outcome.unit_price is not a number: 'cheap'",
    ]


def test_an_outcome_that_is_none_does_not_cost_the_others(
    traced: Any, billing: AgentBilling, keito_client: Keito, caplog: pytest.LogCaptureFixture
) -> None:
    tracing = traced(AgentBilling(billing.policy, keito_client))
    with tracing.tracer().start_as_current_span("agent", attributes={**AGENT, "keito.outcome.type": "x" * 500}) as span:
        span.add_event("keito.outcome", {**OUTCOME, "keito.outcome.evidence": "no JSON"})
        span.add_event(
            "keito.outcome", {**OUTCOME, "keito.outcome.evidence": '{"deep":' + "[" * 5000 + "]" * 5000 + "}"}
        )
        span.add_event("keito.outcome", {**OUTCOME, "keito.outcome.description": "good"})
    found = tracing.bill()
    assert [entry.notes for entry in found.outcomes] == ["good"]
    assert found.facts["flags"] == ["outcome_failed"]
    assert tracing.processor.billing.guard.count == 3
    assert caplog.text.count("An outcome of span 'agent' is not billed: ") == 3, "money was lost in silence"


def test_the_outcome_of_the_policy_is_logged_for_each_completed_root(traced: Any, keito_client: Keito) -> None:
    place = {"project_id": "proj_support", "task_id": "task_tickets"}
    tracing = traced(AgentBilling(client=keito_client, outcome=Outcome("ticket_resolved", 0.99), **place))
    work(tracing)
    work(tracing)
    assert len(tracing.bill().outcomes) == 2
