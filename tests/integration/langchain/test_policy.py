"""What a policy decides for LangChain runs: budgets, tenants, outcomes that depend on the answer."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Optional

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoCallbackHandler
from langchain_core.runnables import RunnableLambda

from keito import Keito
from keito.billing import AgentBilling, BillingPolicy, Budget, KeitoBudgetExceeded, Outcome
from keito.metering import AgentRun
from keito.sandbox import SandboxServer

Make = Callable[..., AgentBilling]


@pytest.fixture
def make(keito_sandbox: SandboxServer, keito_client: Keito) -> "Iterator[Make]":
    made: list[AgentBilling] = []
    policy = BillingPolicy(keito_sandbox.project_id, keito_sandbox.task_id, keito_sandbox.expense_category_id)

    def make(resolve: Any = None, **fields: Any) -> AgentBilling:
        made.append(AgentBilling(replace(policy, **fields), keito_client, resolve=resolve))
        return made[-1]

    yield make
    assert [billing.guard.count for billing in made] == [0] * len(made)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_budget_stops_the_agent_before_the_next_call(
    model: Any, make: Make, keito_client: Keito, is_async: bool
) -> None:
    billing = make(budget=Budget(max_calls=2, stop=True))
    asked = model()
    chain = RunnableLambda(lambda text: "".join(asked.invoke(text).content for _ in range(5))).with_config(run_name="a")
    config: Any = {"callbacks": [KeitoCallbackHandler(billing)]}
    with pytest.raises(KeitoBudgetExceeded, match="calls 2 of 2"):
        asyncio.run(chain.ainvoke("hi", config)) if is_async else chain.invoke("hi", config)
    assert asked.asked == 2
    (entry,) = keito_client.time_entries.list(source="agent")
    facts = (entry.metadata or {})["keito"]
    assert (facts["status"], facts["calls"], facts["flags"]) == ("failed", 2, ["budget_exceeded"])


def test_a_bare_model_is_stopped_too_and_its_run_is_closed(model: Any, make: Make, keito_client: Keito) -> None:
    billing = make(budget=Budget(max_calls=1, per="project", stop=True))
    config: Any = {"callbacks": [KeitoCallbackHandler(billing)]}
    model().invoke("hi", config)
    with pytest.raises(KeitoBudgetExceeded):
        model().invoke("hi", config)
    found = [(entry.metadata or {})["keito"]["status"] for entry in keito_client.time_entries.list(source="agent")]
    assert sorted(found) == ["completed", "failed"]


def test_a_budget_that_only_warns_stops_nobody(model: Any, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    billing = make(budget=Budget(max_calls=1))
    config: Any = {"callbacks": [KeitoCallbackHandler(billing)]}
    RunnableLambda(lambda text: [model().invoke(text) for _ in range(3)] and "done").invoke("hi", config)
    assert [message for message in caplog.messages if "budget" in message] == [caplog.messages[0]]


def test_the_metadata_of_the_config_route_a_run_and_its_answer_is_the_outcome(
    model: Any, make: Make, keito_client: Keito
) -> None:
    other = keito_client.projects.create(client_id="cli_acme", name="Other").id

    def resolve(run: AgentRun) -> Optional[BillingPolicy]:
        return replace(billing.policy, project_id=other) if run.attributes.get("tenant") == "other" else None

    def outcome(run: AgentRun, result: Any) -> Optional[Outcome]:
        return Outcome("answered", evidence={"length": len(result.content)})

    billing = make(resolve, outcome=outcome)
    chain = RunnableLambda(str) | model()
    for tenant in ("other", "mine"):
        chain.invoke("hi", {"callbacks": [KeitoCallbackHandler(billing)], "metadata": {"tenant": tenant}})
    entries = list(keito_client.time_entries.list(source="agent"))
    places = sorted((entry.project_id, "outcome_type" in (entry.metadata or {})) for entry in entries)
    assert places == sorted((project, is_outcome) for project in (other, billing.policy.project_id) for is_outcome in (False, True))  # fmt: skip # noqa: E501
    (found,) = {entry.metadata["outcome_evidence"]["length"] for entry in entries if entry.hours == 0 and entry.metadata and "outcome_type" in entry.metadata}  # fmt: skip # noqa: E501
    assert found == len("ok")
