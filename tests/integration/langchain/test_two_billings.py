"""Handlers of two billings that are told of the same runs: no second and no call is in two records of an account."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

import keito_langchain
from keito_langchain import KeitoCallbackHandler
from langchain_core.callbacks import dispatch_custom_event
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool

from keito import Keito
from keito.billing import AgentBilling
from keito.sandbox import SandboxServer

PAUSE = 0.2


@pytest.fixture
def second(billing: AgentBilling, keito_client: Any, keito_sandbox: Any) -> Any:
    """A handler that bills to another project of the same account."""
    project = keito_client.projects.create(client_id=keito_sandbox.client_id, name="Other").id
    return KeitoCallbackHandler(AgentBilling(billing.policy, keito_client, project_id=project))


def wait(text: Any) -> str:
    time.sleep(PAUSE)
    return str(text)


def bare(model: Any, config: Any) -> None:
    model.invoke("hi", config)


def chained(model: Any, config: Any) -> None:
    (RunnableLambda(wait) | model).invoke("hi", config)


def streamed(model: Any, config: Any) -> None:
    list((RunnableLambda(wait) | model).stream("hi", config))


def parallel(model: Any, config: Any) -> None:
    RunnableParallel(a=RunnableLambda(wait), b=model).invoke("hi", config)


def asynchronous(model: Any, config: Any) -> None:
    asyncio.run((RunnableLambda(wait) | model).ainvoke("hi", config))


@pytest.mark.parametrize("work", [bare, chained, streamed, parallel, asynchronous])
def test_the_first_of_two_handlers_of_an_account_bills_the_run(
    model: Any, billing: AgentBilling, handler: Any, second: Any, bill: Any, caplog: Any, work: Any
) -> None:
    for _ in range(2):
        work(model(), {"callbacks": [handler, second]})
    found = bill()
    assert found.tokens == [(1000, 100)] * 2
    assert {record.project_id for record in [*found.time, *found.expenses]} == {billing.policy.project_id}
    assert handler.open_runs == second.open_runs == 0
    assert [record.levelname for record in caplog.records if "Two handlers" in record.message] == ["WARNING"]


@pytest.mark.parametrize("is_async", [False, True])
def test_the_items_of_a_batch_with_two_handlers_are_billed_each_with_its_own_call(
    model: Any, handler: Any, second: Any, bill: Any, is_async: bool
) -> None:
    chain = RunnableLambda(wait) | model()
    configs: Any = [{"callbacks": [handler, second], "run_name": name} for name in "abc"]
    asyncio.run(chain.abatch(["x"] * 3, configs)) if is_async else chain.batch(["x"] * 3, configs)
    found = bill()
    assert sorted(entry.notes for entry in found.time) == ["a", "b", "c"]
    assert found.tokens == [(1000, 100)] * 3
    assert all(entry.metadata["keito"]["duration_s"] >= PAUSE for entry in found.time)


@pytest.mark.parametrize("what", ["model", "chain", "installed"])
def test_of_runs_inside_each_other_the_innermost_bills_what_is_done_in_it(
    model: Any, billing: AgentBilling, handler: Any, second: Any, bill: Any, what: str
) -> None:
    if what == "chain":
        inner: Any = (RunnableLambda(wait) | model()).with_config(callbacks=[second])
    else:
        inner = model(callbacks=[second])
    chain = RunnableLambda(wait) | inner
    if what == "installed":
        keito_langchain.install(handler.billing)
    try:
        chain.invoke("hi") if what == "installed" else chain.invoke("hi", {"callbacks": [handler]})
    finally:
        keito_langchain.uninstall()
    found = bill()
    inside = second.billing.policy.project_id
    tokens = {entry.project_id: entry.metadata.get("model", {}).get("tokens_in", 0) for entry in found.time}
    assert tokens == {billing.policy.project_id: 0, inside: 1000}
    assert [expense.project_id for expense in found.expenses] == [inside]
    seconds = {entry.project_id: entry.metadata["keito"].get("duration_s") or 0 for entry in found.time}
    assert PAUSE <= seconds[billing.policy.project_id] < 2 * PAUSE


@pytest.mark.parametrize("is_inside", [False, True])
def test_tools_and_dispatched_outcomes_count_once(
    model: Any, billing: AgentBilling, handler: Any, second: Any, bill: Any, is_inside: bool
) -> None:
    @tool
    def lookup(text: str) -> str:
        """Look it up."""
        dispatch_custom_event("keito.outcome", {"type": "found", "unit_price": "1"})
        return text

    chain = cast("Any", RunnableLambda(lambda text: {"text": text})) | lookup
    if is_inside:
        (RunnableLambda(str) | chain.with_config(callbacks=[second])).invoke("hi", {"callbacks": [handler]})
    else:
        chain.invoke("hi", {"callbacks": [handler, second]})
    found = bill()
    project = second.billing.policy.project_id if is_inside else billing.policy.project_id
    assert [outcome.project_id for outcome in found.outcomes] == [project]
    usage = [use for entry in found.time for use in entry.metadata["keito"].get("usage", [])]
    assert [use["quantity"] for use in usage] == ["1"]


@pytest.fixture
def elsewhere(billing: AgentBilling) -> Iterator[tuple[Any, Keito]]:
    """A handler for another account, and a client of that."""
    with (
        SandboxServer() as server,
        Keito(api_key=server.api_key, account_id=server.account_id, base_url=server.url) as client,
    ):
        yield KeitoCallbackHandler(AgentBilling(billing.policy, client)), client


def test_two_accounts_each_bill_the_whole(model: Any, handler: Any, elsewhere: Any, bill: Any) -> None:
    other, client = elsewhere
    (RunnableLambda(wait) | model()).batch(["a", "b"], {"callbacks": [handler, other]})
    other.flush()
    found = bill()
    theirs = list(client.time_entries.list(source="agent"))
    for time_entries in (found.time, theirs):
        assert [entry.metadata["model"]["tokens_in"] for entry in time_entries] == [1000, 1000]
        assert all(entry.metadata["keito"]["duration_s"] >= PAUSE for entry in time_entries)
