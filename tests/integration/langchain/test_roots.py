"""One root run, one bill."""

import asyncio
import copy
import threading
from typing import Any

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoCallbackHandler
from keito_langchain.table import table_of
from langchain_core.callbacks import CallbackManager
from langchain_core.runnables import RunnableConfig, RunnableLambda, RunnableParallel
from langchain_core.tools import tool

from keito.billing import AgentBilling, Outcome
from keito.metering import current_run, log_outcome

ONE = [(1000, 100)]


def expect_nothing_left(billing: AgentBilling) -> None:
    assert len(table_of(billing)) == 0
    assert current_run() is None


def test_a_chain_becomes_one_time_entry_and_one_expense(
    model: Any, billing: AgentBilling, config: Any, bill: Any
) -> None:
    (RunnableLambda(str) | model()).with_config(run_name="Support chain").invoke("hi", config)
    found = bill()
    (time,), (expense,) = found.time, found.expenses
    assert (time.notes, time.project_id, time.task_id) == ("Support chain", "proj_support", "task_tickets")
    assert time.hours is not None
    assert 0 < time.hours < 0.01
    assert found.tokens == ONE
    assert time.metadata["model"]["name"] == "gpt-5-mini-2025-08-07"
    assert time.metadata["agent"] == {"framework": "langchain"}
    assert expense.total_cost == pytest.approx(1000 * 0.25e-6 + 100 * 2e-6, abs=1e-9)
    assert expense.metadata["session_id"] == time.metadata["session_id"]
    assert expense.metadata["keito"]["pricing"][0]["rates"] == {"input_mtok": "0.25", "output_mtok": "2"}
    expect_nothing_left(billing)


def test_a_bare_model_is_a_run(model: Any, billing: AgentBilling, config: Any, bill: Any) -> None:
    model().invoke("hi", config)
    assert bill().tokens == ONE
    expect_nothing_left(billing)


def test_a_bare_tool_is_a_run_in_which_outcomes_are_logged(billing: AgentBilling, config: Any, bill: Any) -> None:
    @tool
    def resolve(ticket: str) -> str:
        """Resolve a ticket."""
        log_outcome(Outcome("ticket_resolved", 0.99, evidence={"ticket": ticket}))
        return "done"

    resolve.invoke({"ticket": "4821"}, config)
    found = bill()
    assert [entry.notes for entry in found.time] == ["resolve"]
    (outcome,) = found.outcomes
    assert (outcome.hours, outcome.billable) == (0, True)
    assert outcome.metadata["outcome_unit_price"] == 0.99
    assert outcome.metadata["outcome_evidence"] == {"ticket": "4821"}
    expect_nothing_left(billing)


def test_ainvoke(model: Any, billing: AgentBilling, config: Any, bill: Any) -> None:
    asyncio.run((RunnableLambda(str) | model()).ainvoke("hi", config))
    assert bill().tokens == ONE
    expect_nothing_left(billing)


def test_stream_and_astream(model: Any, billing: AgentBilling, config: Any, bill: Any) -> None:
    assert "".join(chunk.content for chunk in (RunnableLambda(str) | model()).stream("hi", config)) == "ok"

    async def main() -> str:
        return "".join([chunk.content async for chunk in (RunnableLambda(str) | model()).astream("hi", config)])

    assert asyncio.run(main()) == "ok"
    assert bill().tokens == ONE * 2
    expect_nothing_left(billing)


def test_each_input_of_a_batch_is_a_run(model: Any, billing: AgentBilling, config: Any, bill: Any) -> None:
    chain = RunnableLambda(str) | model()
    chain.batch(["a", "b"], config)
    asyncio.run(chain.abatch(["c", "d"], config))
    model().batch(["e", "f"], config)
    assert bill().tokens == ONE * 6
    expect_nothing_left(billing)


def test_outcomes_in_a_batch_go_to_their_own_runs(billing: AgentBilling, config: Any, bill: Any) -> None:
    @tool
    def resolve(ticket: str) -> str:
        """Resolve a ticket."""
        assert log_outcome(Outcome("ticket_resolved", evidence={"ticket": ticket}))
        return ticket

    chain = RunnableLambda(lambda ticket: {"ticket": ticket}) | resolve
    chain.batch(["1", "2"], config)
    asyncio.run(chain.abatch(["3", "4"], config))
    found = bill()
    assert len(found.time) == 4
    sessions = {entry.metadata["session_id"]: entry.metadata["outcome_evidence"]["ticket"] for entry in found.outcomes}
    assert sorted(sessions.values()) == ["1", "2", "3", "4"]
    expect_nothing_left(billing)


def test_parallel_branches_are_one_run(model: Any, billing: AgentBilling, config: Any, bill: Any) -> None:
    chain = RunnableParallel(a=model(), b=model(), c=RunnableLambda(str) | model())
    chain.invoke("hi", config)
    asyncio.run(chain.ainvoke("hi", config))
    assert bill().tokens == [(3000, 300)] * 2
    expect_nothing_left(billing)


@pytest.mark.parametrize("is_async", [False, True])
def test_fallbacks_are_one_run(model: Any, billing: AgentBilling, config: Any, bill: Any, is_async: bool) -> None:
    chain = model(error=ValueError("down")).with_fallbacks([model()])
    if is_async:
        asyncio.run(chain.ainvoke("hi", config))
    else:
        chain.invoke("hi", config)
    found = bill()
    assert found.tokens == ONE
    assert found.facts["failed_calls"] == 1
    assert "flags" not in found.facts
    expect_nothing_left(billing)


def test_fallbacks_are_one_run_where_langchain_loses_the_context(
    model: Any, billing: AgentBilling, config: Any, bill: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keito_langchain.table.enclosing_run_id", lambda: None)
    chain = model(error=ValueError("down")).with_fallbacks([model()])
    asyncio.run(chain.ainvoke("hi", config))
    chain.batch(["a", "b"], config)
    assert bill().tokens == ONE * 3
    expect_nothing_left(billing)


def test_retries_are_one_run(model: Any, billing: AgentBilling, config: Any, bill: Any) -> None:
    flaky = model()
    tries = []

    def parse(message: Any) -> str:
        tries.append(message)
        if len(tries) == 1:
            raise ValueError("not parseable")
        return "parsed"

    (flaky | RunnableLambda(parse)).with_retry(wait_exponential_jitter=False).invoke("hi", config)
    assert bill().tokens == [(2000, 200)]  # the provider charges for both answers
    expect_nothing_left(billing)


def test_a_model_that_code_calls_with_the_same_handler_is_a_part_of_its_run(
    model: Any, billing: AgentBilling, config: Any, bill: Any
) -> None:
    def work(text: str) -> str:
        return str(model().invoke(text, config).content)

    RunnableLambda(work).invoke("hi", config)
    assert bill().tokens == ONE
    expect_nothing_left(billing)


def test_a_parent_that_is_unknown_is_no_parent(
    model: Any, handler: KeitoCallbackHandler, billing: Any, bill: Any
) -> None:
    # The handler is only on the model: the chain around it is never reported.
    (RunnableLambda(str) | model(callbacks=[handler])).invoke("hi")
    (RunnableLambda(str) | (RunnableLambda(str) | model()).with_config(callbacks=[handler])).invoke("hi")
    assert bill().tokens == ONE * 2
    expect_nothing_left(billing)


def test_a_handler_that_is_registered_twice_bills_once(
    model: Any, handler: KeitoCallbackHandler, billing: AgentBilling, bill: Any
) -> None:
    chain = (RunnableLambda(str) | model(callbacks=[handler])).with_config(callbacks=[handler])
    chain.invoke("hi", {"callbacks": [handler, handler]})
    assert bill().tokens == ONE
    expect_nothing_left(billing)


def test_two_handlers_of_one_billing_bill_once(model: Any, billing: AgentBilling, bill: Any) -> None:
    handlers: Any = [KeitoCallbackHandler(billing), KeitoCallbackHandler(billing)]
    (RunnableLambda(str) | model()).invoke("hi", {"callbacks": handlers})
    assert bill().tokens == ONE
    expect_nothing_left(billing)


def test_copies_bill_to_the_same_place(
    model: Any, handler: KeitoCallbackHandler, billing: AgentBilling, bill: Any
) -> None:
    assert copy.copy(handler) is handler
    assert copy.deepcopy(handler) is handler
    model(callbacks=[handler]).model_copy(deep=True).invoke("hi")
    assert bill().tokens == ONE
    expect_nothing_left(billing)


def test_one_run_id_for_two_invocations_is_two_runs(model: Any, config: Any, bill: Any) -> None:
    import uuid

    again = {**config, "run_id": uuid.uuid4()}
    chain = RunnableLambda(str) | model()
    chain.invoke("a", RunnableConfig(**again))
    chain.invoke("b", RunnableConfig(**again))
    found = bill()
    assert found.tokens == ONE * 2
    assert len({entry.metadata["keito"]["key"] for entry in found.time}) == 2


def test_threads_that_share_a_handler_do_not_mix(model: Any, billing: AgentBilling, config: Any, bill: Any) -> None:
    together = threading.Barrier(2, timeout=30)

    def work(tokens: int) -> None:
        def meet(text: str) -> str:
            together.wait()  # both runs are open now
            log_outcome(Outcome("done", quantity=tokens))
            return text

        counted = model(usage={"input_tokens": tokens, "output_tokens": 1, "total_tokens": tokens + 1})
        (RunnableLambda(meet) | counted | RunnableLambda(lambda answer: together.wait())).invoke("hi", config)

    threads = [threading.Thread(target=work, args=(tokens,)) for tokens in (11, 22)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = bill()
    assert sorted(found.tokens) == [(11, 1), (22, 1)]
    tokens_of = {entry.metadata["session_id"]: entry.metadata["model"]["tokens_in"] for entry in found.time}
    logged = [(tokens_of[entry.metadata["session_id"]], entry.metadata["outcome_quantity"]) for entry in found.outcomes]
    assert sorted(logged) == [(11, 11), (22, 22)]
    expect_nothing_left(billing)


def test_tasks_that_share_a_handler_do_not_mix(model: Any, billing: AgentBilling, config: Any, bill: Any) -> None:
    chain = RunnableLambda(str) | model()

    async def main() -> None:
        await asyncio.gather(*(chain.ainvoke(str(number), config) for number in range(20)))

    asyncio.run(main())
    assert bill().tokens == ONE * 20
    expect_nothing_left(billing)


def test_runs_one_after_the_other_do_not_nest_after_an_abandoned_stream(
    model: Any, billing: AgentBilling, config: Any, bill: Any
) -> None:
    stream = (RunnableLambda(str) | model()).stream("hi", config)
    next(stream)  # its run stays open, in this very context
    (RunnableLambda(str) | model()).invoke("hi", config)
    assert bill().tokens == ONE
    stream.close()
    assert len(bill().time) == 2
    expect_nothing_left(billing)


def test_a_run_inside_a_billed_block_is_a_part_of_it(model: Any, billing: AgentBilling, config: Any, bill: Any) -> None:
    with billing.run(name="Whole conversation") as run:
        (RunnableLambda(str) | model()).invoke("hi", config)
        assert current_run() is run
        model().invoke("hi", config)
        assert bill().time == []
    found = bill()
    assert [entry.notes for entry in found.time] == ["Whole conversation"]
    assert found.tokens == [(2000, 200)]
    expect_nothing_left(billing)


def test_the_handler_reads_the_environment(
    model: Any, keito_sandbox: Any, bill: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEITO_BASE_URL", keito_sandbox.url)
    monkeypatch.setenv("KEITO_API_KEY", keito_sandbox.api_key)
    monkeypatch.setenv("KEITO_ACCOUNT_ID", keito_sandbox.account_id)
    monkeypatch.setenv("KEITO_PROJECT_ID", keito_sandbox.project_id)
    monkeypatch.setenv("KEITO_TASK_ID", keito_sandbox.task_id)
    monkeypatch.setenv("KEITO_AGENT_ID", "bot")
    handler = KeitoCallbackHandler(outcome=Outcome("workflow_completed", 5))
    model().invoke("hi", {"callbacks": [handler]})
    assert handler.flush().complete
    handler.billing.close()
    found = bill()
    assert found.time[0].metadata["agent"] == {"id": "bot", "framework": "langchain"}
    assert found.facts["flags"] == ["no_expense_category"]
    assert [entry.metadata["outcome_unit_price"] for entry in found.outcomes] == [5]


def test_a_handler_without_configuration_fails_when_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEITO_PROJECT_ID", raising=False)
    with pytest.raises(ValueError, match="KEITO_PROJECT_ID"):
        KeitoCallbackHandler()


def test_a_billing_and_policy_fields_contradict(billing: AgentBilling) -> None:
    with pytest.raises(TypeError, match="project_id"):
        KeitoCallbackHandler(billing, project_id="other")


def test_an_error_of_ours_does_not_reach_the_agent(
    model: Any, keito_client: Any, keito_sandbox: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    billing = AgentBilling(client=keito_client, project_id="p", task_id="t")
    handler = KeitoCallbackHandler(billing)
    monkeypatch.setattr("keito_langchain.table.RunTable.start", broken)
    manager = CallbackManager([handler])
    for _ in range(3):
        assert model().invoke("hi", {"callbacks": manager}).content == "ok"
    assert billing.guard.count == 3
    assert len([record for record in caplog.records if record.name == "keito.billing"]) == 1
