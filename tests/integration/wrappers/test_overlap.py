"""A model call that LangChain reports, and a metered client below it as well, is one call."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_openai")

import openai
from keito_langchain import KeitoCallbackHandler
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI

from keito import Keito
from keito.billing import AgentBilling, BillingPolicy, Budget
from keito.billing.exceeded import KeitoBudgetExceeded
from keito.metering import AgentRun, NoUsage
from keito.metering.wrappers import meter
from keito.sandbox import SandboxServer

from .conftest import CHAT, Stub

ASK: Any = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(autouse=True)
def no_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "false")


@pytest.fixture
def billing(keito_sandbox: SandboxServer, keito_client: Keito) -> Iterator[AgentBilling]:
    billing = AgentBilling(BillingPolicy(keito_sandbox.project_id, keito_sandbox.task_id), keito_client)
    yield billing
    assert billing.guard.count == 0
    billing.close()


@pytest.fixture
def make(stub: Stub) -> Iterator[Any]:
    """Makes models whose clients are metered."""
    # Clients of their own: LangChain shares those that it makes between models, and so between tests.
    http = openai.DefaultHttpxClient()

    def make(**options: Any) -> Any:
        asynchronous = openai.DefaultAsyncHttpxClient()
        clients: Any = {"http_client": http, "http_async_client": asynchronous, "max_retries": 0}
        model = ChatOpenAI(model="gpt-5-mini", api_key="k", base_url=f"{stub.url}/v1", **clients, **options)
        meter(model.root_client)
        meter(model.root_async_client)
        return model

    yield make
    http.close()


@pytest.fixture
def model(make: Any) -> Any:
    return make()


@pytest.fixture
def recorded(billing: AgentBilling, model: Any) -> Any:
    """The calls that a use of the model leaves in a run that is billed by the handler as well."""

    def record(use: Any) -> Any:
        with billing.run("chain") as run:
            use({"callbacks": [KeitoCallbackHandler(billing)]})
        return run.calls

    return record


def test_an_answer(model: Any, recorded: Any) -> None:
    (call,) = recorded(lambda config: (RunnableLambda(str) | model).invoke("hi", config))
    assert (call.usage, call.response_id) == (CHAT, "chatcmpl-000000000000000000000000000001")


def test_a_response(make: Any, stub: Stub, recorded: Any) -> None:
    (call,) = recorded(lambda config: make(use_responses_api=True).invoke("hi", config))
    assert (call.usage, call.response_id) == (CHAT, stub.answered[0])


@pytest.mark.parametrize("stream_usage", [True, False])
def test_a_stream_whose_id_langchain_loses(model: Any, recorded: Any, stream_usage: bool) -> None:
    (call,) = recorded(lambda config: list(model.stream("hi", config, stream_usage=stream_usage)))
    assert call.usage == (CHAT if stream_usage else None)
    assert call.no_usage is (None if stream_usage else NoUsage.NOT_REPORTED)


def test_a_stream_that_is_left_early(model: Any, recorded: Any) -> None:
    def leave(config: Any) -> None:
        stream = model.stream("hi", config)
        next(stream)
        stream.close()

    (call,) = recorded(leave)
    assert call.no_usage is NoUsage.ABORTED


def test_asynchronously(model: Any, recorded: Any) -> None:
    async def use(config: Any) -> None:
        await model.ainvoke("hi", config)
        assert [chunk async for chunk in model.astream("hi", config, stream_usage=True)]
        await model.http_async_client.aclose()

    assert [call.usage for call in recorded(lambda config: asyncio.run(use(config)))] == [CHAT, CHAT]


def test_a_failed_call_is_one(model: Any, stub: Stub, recorded: Any) -> None:
    stub.status = 500

    def fail(config: Any) -> None:
        with pytest.raises(Exception, match="500"):
            model.invoke("hi", config)

    (call,) = recorded(fail)
    assert call.no_usage is NoUsage.FAILED


def test_after_the_models_call_the_client_counts_by_itself(model: Any, recorded: Any) -> None:
    def use(config: Any) -> None:
        model.invoke("hi", config)
        model.root_client.chat.completions.create(**ASK)

    assert [call.usage for call in recorded(use)] == [CHAT, CHAT]


def test_without_a_handler_the_client_counts(model: Any) -> None:
    with AgentRun("plain") as run:
        model.invoke("hi")
        list(model.stream("hi", stream_usage=True))
    assert [call.usage for call in run.calls] == [CHAT, CHAT]


@pytest.mark.filterwarnings("ignore:Unexpected type for token usage")  # langchain-openai, where it adds up details
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("in_tasks", [True, False])
def test_prompts_that_are_asked_together(make: Any, stub: Stub, recorded: Any, stream: bool, in_tasks: bool) -> None:
    model = make(streaming=stream, stream_usage=stream)
    prompts: Any = [[("user", "one")], [("user", "two")], [("user", "three")]]
    messages = [model._convert_input(prompt).to_messages() for prompt in prompts]

    async def in_an_event_loop(config: Any) -> None:
        await model.agenerate(messages, **config)
        await model.root_async_client.close()

    def use(config: Any) -> None:
        if in_tasks:
            asyncio.run(in_an_event_loop(config))
        else:
            model.generate(messages, **config)

    assert [call.usage for call in recorded(use)] == [CHAT] * 3


def test_a_start_that_is_reported_twice_leaves_the_clients_budget_in_force(
    model: Any, keito_sandbox: SandboxServer, keito_client: Keito
) -> None:
    budget = Budget(max_calls=2, stop=True)
    policy = BillingPolicy(keito_sandbox.project_id, keito_sandbox.task_id, budget=budget)
    billing = AgentBilling(policy, keito_client)
    handler = KeitoCallbackHandler(billing)
    with billing.run("spends") as run:
        model.invoke("hi", {"callbacks": [handler, handler, KeitoCallbackHandler(billing)]})
        model.root_client.chat.completions.create(**ASK)
        with pytest.raises(KeitoBudgetExceeded):
            model.root_client.chat.completions.create(**ASK)
    assert [call.usage for call in run.calls] == [CHAT, CHAT]
    billing.close()
