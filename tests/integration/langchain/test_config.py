"""What the config of a run says, and outcomes in all the ways in which they are logged."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoCallbackHandler
from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool

from keito import Keito
from keito.billing import AgentBilling, Outcome
from keito.metering import AgentRun, current_run, log_outcome


@pytest.fixture
def other(keito_client: Keito) -> str:
    """Another project."""
    return keito_client.projects.create(client_id="cli_acme", name="Other").id


def test_the_metadata_of_the_config_says_where_the_run_is_billed_and_as_what(
    model: Any, config: Any, bill: Any, other: str, billing: AgentBilling
) -> None:
    about = {
        "keito_project_id": other,
        "keito_task_id": billing.policy.task_id,
        "keito_agent_id": "bot-2",
        "keito_session_id": "chat-9",
        "keito_trigger": "webhook",
        "thread_id": "not this one",
    }

    def work(text: str) -> str:
        log_outcome(Outcome("done", 1))
        return text

    (RunnableLambda(work) | model()).invoke("hi", {**config, "metadata": about})
    found = bill()
    records = [*found.time, *found.outcomes, *found.expenses]
    assert {record.project_id for record in records} == {other}
    assert {record.metadata["session_id"] for record in records} == {"chat-9"}
    assert {record.metadata["agent"]["id"] for record in found.time} == {"bot-2"}
    assert found.time[0].metadata["run"]["trigger"] == "webhook"


def test_a_batch_for_several_clients_is_billed_to_each(model: Any, config: Any, bill: Any, other: str) -> None:
    configs: Any = [{**config, "metadata": {"keito_project_id": other}}, config, config]
    (RunnableLambda(str) | model()).batch(["a", "b", "c"], configs)
    found = bill()
    assert sorted(entry.project_id for entry in found.time) == sorted([other, "proj_support", "proj_support"])
    assert sorted(expense.project_id for expense in found.expenses) == sorted([other, "proj_support", "proj_support"])
    assert found.tokens == [(1000, 100)] * 3


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_project_is_said_and_the_run_is_billed_to_the_policys(
    model: Any, config: Any, bill: Any, caplog: pytest.LogCaptureFixture, empty: str
) -> None:
    model().invoke("hi", {**config, "metadata": {"keito_project_id": empty}})
    assert [entry.project_id for entry in bill().time] == ["proj_support"]
    assert "keito_project_id is empty" in caplog.text


def test_ids_need_not_be_text(model: Any, config: Any, bill: Any) -> None:
    model().invoke("hi", {**config, "metadata": {"keito_session_id": 77}})
    assert bill().time[0].metadata["session_id"] == "77"


def test_an_outcome_that_depends_on_inputs_and_outputs(
    model: Any, billing: AgentBilling, keito_client: Keito, bill: Any
) -> None:
    def outcome(run: AgentRun, result: Any) -> Outcome:
        return Outcome("answered", quantity=len(run.inputs["questions"]), evidence={"length": len(result.content)})

    handler = KeitoCallbackHandler(AgentBilling(billing.policy, keito_client, outcome=outcome))
    (RunnableLambda(str) | model()).invoke({"questions": ["a", "b"]}, {"callbacks": [handler]})
    (found,) = bill().outcomes
    assert (found.metadata["outcome_quantity"], found.metadata["outcome_evidence"]) == (2, {"length": 2})
    assert handler.billing.guard.count == 0


@pytest.mark.parametrize(
    "data",
    [
        Outcome("ticket_resolved", "0.99"),
        {"type": "ticket_resolved", "unit_price": 0.99},
        {"type": "ticket_resolved", "unit_price": "0.99", "evidence": {"ticket": "7"}},
    ],
)
def test_an_event_is_an_outcome(config: Any, bill: Any, data: Any) -> None:
    def work(text: str, config: Any) -> str:
        dispatch_custom_event("keito.outcome", data, config=config)
        dispatch_custom_event("something_else", {"type": "not ours"}, config=config)
        return text

    RunnableLambda(work).with_config(run_name="Events").invoke("hi", config)
    (found,) = bill().outcomes
    assert (found.metadata["outcome_type"], found.metadata["outcome_unit_price"]) == ("ticket_resolved", 0.99)
    assert found.metadata["session_id"] == bill().time[0].metadata["session_id"]


def test_an_event_asynchronously(config: Any, bill: Any) -> None:
    async def work(text: str, config: Any) -> str:
        await adispatch_custom_event("keito.outcome", "ticket_resolved", config=config)
        return text

    asyncio.run(RunnableLambda(work).ainvoke("hi", config))
    assert [entry.metadata["outcome_type"] for entry in bill().outcomes] == ["ticket_resolved"]


@pytest.mark.parametrize(
    "data",
    [None, 7, {}, {"typ": "x"}, {"type": ""}, {"type": "x", "unit_price": -1}, {"type": "x", "quantity": "a"}, []],
)
def test_bad_outcome_data_is_reported_and_not_raised(
    config: Any, bill: Any, caplog: pytest.LogCaptureFixture, data: Any
) -> None:
    def work(text: str, config: Any) -> str:
        dispatch_custom_event("keito.outcome", data, config=config)
        return "went on"

    assert RunnableLambda(work).invoke("hi", config) == "went on"
    found = bill()
    assert (len(found.time), found.outcomes) == (1, [])
    assert "keito.outcome holds no outcome" in caplog.text


def test_tools_and_retrievers_are_counted(config: Any, bill: Any) -> None:
    class Finder(BaseRetriever):
        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> Any:
            return []

    @tool
    def look_up(ticket: str) -> str:
        """Look up a ticket."""
        return ticket

    def work(text: str, config: Any) -> str:
        for ticket in ("1", "2"):
            look_up.invoke({"ticket": ticket}, config)
        Finder().invoke(text, config)
        return text

    RunnableLambda(work).invoke("hi", config)
    rows = [(row["name"], row["unit"], row["quantity"]) for row in bill().facts["usage"]]
    assert sorted(rows) == [("Finder", "retriever", "1"), ("look_up", "tool", "2")]


def test_log_outcome_works_in_every_code_of_a_batch(config: Any, bill: Any) -> None:
    def work(number: int) -> int:
        assert log_outcome(Outcome("done", evidence={"number": number}))
        return number

    async def awork(number: int) -> int:
        return work(number)

    chain = RunnableLambda(work, afunc=awork) | RunnableParallel(
        a=RunnableLambda(work, afunc=awork), b=RunnableLambda(str)
    )
    chain.batch([1, 2, 3], config)
    expected = {1: 2, 2: 2, 3: 2}
    if sys.version_info >= (3, 11):
        asyncio.run(chain.abatch([4, 5, 6], config))
        expected = {**expected, 4: 2, 5: 2, 6: 2}
    by_session: dict[str, list[int]] = {}
    for entry in bill().outcomes:
        by_session.setdefault(entry.metadata["session_id"], []).append(entry.metadata["outcome_evidence"]["number"])
    assert {numbers[0]: len(numbers) for numbers in by_session.values() if len(set(numbers)) == 1} == expected
    assert current_run() is None


def test_the_context_is_clean_after_every_kind_of_run(model: Any, config: Any) -> None:
    chain = RunnableLambda(str) | model()
    chain.batch(["a", "b"], config)
    list(chain.stream("hi", config))
    with pytest.raises(ZeroDivisionError):
        RunnableLambda(lambda number: 1 / number).invoke(0, config)
    stream = chain.stream("hi", config)
    next(stream)
    stream.close()
    assert current_run() is None


def test_prompts_and_answers_stay_here(model: Any, config: Any, bill: Any, keito_sandbox: Any) -> None:
    (RunnableLambda(str) | model()).with_config(run_name="Secret").invoke("my secret prompt", config)
    assert len(bill().time) == 1
    sent = str([request["body"] for request in keito_sandbox.requests("POST")])
    assert "Secret" in sent
    assert "my secret prompt" not in sent


def test_blanks_around_an_id_are_no_part_of_it(keito_sandbox: Any, model: Any, config: Any, bill: Any) -> None:
    metadata = {"keito_project_id": f" {keito_sandbox.project_id}\n", "keito_session_id": " S "}
    (RunnableLambda(str) | model()).invoke("hi", {**config, "metadata": metadata})
    (entry,) = bill().time
    assert (entry.project_id, entry.metadata["session_id"]) == (keito_sandbox.project_id, "S")


@pytest.mark.parametrize("kind", [None, ["a"], 7, {"a": 1}])
def test_an_event_whose_type_is_no_text_is_no_outcome(config: Any, bill: Any, caplog: Any, kind: Any) -> None:
    def work(text: str, config: Any) -> str:
        dispatch_custom_event("keito.outcome", {"type": kind, "unit_price": "9.99"}, config=config)
        return text

    RunnableLambda(work).invoke("hi", config)
    assert bill().outcomes == []
    assert "nothing is billed for it" in caplog.text
