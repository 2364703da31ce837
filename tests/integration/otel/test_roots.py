"""Where spans belong whose parent nobody has reported, how runs end, and what code in them may log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk")
pytest.importorskip("genai_prices")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from keito import Keito
from keito.billing import AgentBilling, Outcome
from keito.metering import current_run, log_outcome

from .conftest import AGENT, CHAT, Tracing, usage


def chat(tracer: Any, **more: Any) -> None:
    with tracer.start_as_current_span("chat", attributes=CHAT | usage() | more):
        pass


def elsewhere() -> Any:
    """A tracer whose spans keito does not see."""
    return TracerProvider(shutdown_on_exit=False).get_tracer("http")


def test_agents_at_a_time_below_a_span_of_another_provider_are_runs_of_their_own(
    tracing: Tracing, keito_client: Keito
) -> None:
    tracer = tracing.tracer()
    (client,) = [client.id for client in keito_client.clients.list()][:1]
    other = keito_client.projects.create(client_id=client, name="Other", is_billable=True).id
    both_run = asyncio.Event()

    async def agent(name: str, **about: str) -> None:
        with tracer.start_as_current_span(name, attributes=AGENT | about):
            if name == "b":
                both_run.set()
            await both_run.wait()
            chat(tracer)
            await asyncio.sleep(0)
            log_outcome(Outcome("ticket_resolved", 1, description=name))

    async def main() -> None:
        with elsewhere().start_as_current_span("POST"):
            await asyncio.gather(agent("a"), agent("b", **{"keito.project_id": other}))

    asyncio.run(main())
    bill = tracing.bill()
    assert bill.tokens == [(1000, 100)] * 2
    assert [entry.project_id == other for entry in sorted(bill.time, key=lambda entry: str(entry.notes))] == [
        False,
        True,
    ]
    assert sorted((entry.notes, entry.project_id == other) for entry in bill.outcomes) == [("a", False), ("b", True)]


def test_a_span_of_another_provider_inside_a_run_does_not_cut_it(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    for name, attributes in (("agent", AGENT), ("job", {})):
        with tracer.start_as_current_span(name, attributes=attributes), elsewhere().start_as_current_span("POST"):
            chat(tracer)
    assert tracing.bill().tokens == [(1000, 100)] * 2


@pytest.mark.parametrize("picked", [True, False])
def test_jobs_after_each_other_in_a_request_that_nobody_reported_are_runs_of_their_own(
    picked: bool, traced: Any
) -> None:
    tracing: Tracing = traced(root=lambda span: span.name == "job") if picked else traced()
    tracer = tracing.tracer()
    with elsewhere().start_as_current_span("POST"):
        for _ in range(2):
            with tracer.start_as_current_span("job"):
                with tracer.start_as_current_span("agent", attributes=AGENT):
                    chat(tracer)
                log_outcome(Outcome("ticket_resolved", 1))
    bill = tracing.bill()
    assert bill.tokens == [(1000, 100)] * 2
    assert len(bill.outcomes) == 2


def test_a_call_below_a_tool_that_has_ended_is_of_the_run_of_the_tool(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with elsewhere().start_as_current_span("POST") as request, tracer.start_as_current_span("a", attributes=AGENT):
        tool = tracer.start_span("tool", attributes={"gen_ai.operation.name": "execute_tool"})
        tool.end()
        with tracer.start_as_current_span("b", context=set_span_in_context(request), attributes=AGENT):
            late = tracer.start_span("chat", context=set_span_in_context(tool), attributes=CHAT | usage())
            late.end()
    assert [
        (entry.notes, entry.metadata["model"]["tokens_in"])
        for entry in tracing.bill().time
        if entry.metadata.get("model")
    ] == [("a", 1000)]


def test_code_of_the_root_may_log_outcomes_after_its_agent(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("answer ticket"):
        with tracer.start_as_current_span("agent", attributes=AGENT):
            chat(tracer)
        assert log_outcome(Outcome("ticket_resolved", 0.99))
    assert current_run() is None
    assert [entry.notes for entry in tracing.bill().outcomes] == ["ticket_resolved"]


def cancelled(tracer: Any) -> None:
    async def agent() -> None:
        with tracer.start_as_current_span("agent", attributes=AGENT):
            chat(tracer)
            await asyncio.Event().wait()

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(agent(), 0.05)

    asyncio.run(main())


def closed(tracer: Any) -> None:
    def agent() -> Iterator[str]:
        with tracer.start_as_current_span("agent", attributes=AGENT):
            chat(tracer)
            yield "an answer"
            yield "more"

    answers = agent()
    next(answers)
    answers.close()  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]


def interrupted(tracer: Any) -> None:
    def agent() -> None:
        with tracer.start_as_current_span("agent", attributes=AGENT):
            chat(tracer)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        agent()


@pytest.mark.parametrize("stop", [cancelled, closed, interrupted])
def test_a_run_that_is_stopped_is_cancelled_and_has_no_outcome_of_the_policy(
    stop: Any, traced: Any, billing: AgentBilling, keito_client: Keito
) -> None:
    with_outcome = AgentBilling(billing.policy, keito_client, outcome=Outcome("ticket_resolved", 0.99))
    tracing: Tracing = traced(with_outcome)
    stop(tracing.tracer())
    bill = tracing.bill()
    assert bill.facts["status"] == "cancelled"
    assert [entry.billable for entry in bill.time] == [False]
    assert bill.outcomes == []
    assert len(bill.expenses) == 1  # the provider charges for it


def test_a_run_in_code_that_handles_a_cancellation_completes(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    try:
        raise asyncio.CancelledError
    except asyncio.CancelledError:
        with tracer.start_as_current_span("clean up", attributes=AGENT):
            chat(tracer)
    assert tracing.bill().facts["status"] == "completed"


def test_a_run_that_says_it_succeeded_completed_whoever_closes_it(tracing: Tracing) -> None:
    def agent() -> Iterator[str]:
        with tracing.tracer().start_as_current_span("agent", attributes=AGENT) as span:
            chat(tracing.tracer())
            span.set_status(Status(StatusCode.OK))
            yield "the answer"

    assert next(agent()) == "the answer"
    assert tracing.bill().facts["status"] == "completed"
