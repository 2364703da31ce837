"""CrewAI, whose spans of crews repeat sums: the spans of the provider's client count."""

from __future__ import annotations

from typing import Any

import pytest
from crewai import LLM, Agent, Crew, Task
from openinference.instrumentation.crewai import CrewAIInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor

from keito.billing import AgentBilling
from tests.integration.otel.conftest import Tracing
from tests.integration.providers import Stub

FINAL = "Thought: I now can give a great answer\nFinal Answer: done."


def parts(stub: Stub) -> dict[str, Any]:
    stub.text = FINAL
    llm = LLM(model="openai/gpt-5-mini", base_url=stub.url, api_key="sk-loopback")
    agent = Agent(role="helper", goal="help", backstory="-", llm=llm)
    tasks = [Task(description=text, expected_output="-", agent=agent) for text in ("one", "two")]
    return {"agents": [agent], "tasks": tasks, "name": "Support crew"}


@pytest.fixture
def instrumented_tracing(tracing: Tracing, instrumented: Any) -> Tracing:
    instrumented(CrewAIInstrumentor(), tracer_provider=tracing.provider)
    instrumented(OpenAIInstrumentor(), tracer_provider=tracing.provider)
    return tracing


def test_a_kickoff_is_one_run_with_each_call_once(instrumented_tracing: Tracing, stub: Stub) -> None:
    Crew(**parts(stub)).kickoff()
    found, calls = instrumented_tracing.bill(), len(stub.bodies)
    assert len(found.time) == len(found.expenses) == 1
    assert (found.tokens, found.facts["calls"]) == ([(1000 * calls, 100 * calls)], calls)


def test_a_billed_crew_beside_spans_is_billed_once(
    instrumented_tracing: Tracing, stub: Stub, billing: AgentBilling
) -> None:
    from keito_crewai import BilledCrew

    BilledCrew(Crew(**parts(stub)), billing=billing).kickoff()
    found, calls = instrumented_tracing.bill(), len(stub.bodies)
    assert len(found.time) == len(found.expenses) == 1
    assert (found.tokens, found.facts["calls"]) == ([(1000 * calls, 100 * calls)], calls)
