"""Metered clients below LangChain's models: each call counts once, and in its own run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_openai")
pytest.importorskip("genai_prices")

import openai
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from keito.billing import AgentBilling
from keito.metering import meter

from ..providers import Stub

# By `generate` of langchain-openai, over counts that the provider leaves out.
pytestmark = pytest.mark.filterwarnings("ignore:Unexpected type for token usage")


@pytest.fixture
def gpt(stub: Stub) -> Iterator[Any]:
    http = openai.DefaultHttpxClient()
    clients: Any = {"http_client": http, "http_async_client": openai.DefaultAsyncHttpxClient(), "max_retries": 0}
    model: Any = ChatOpenAI(model="gpt-5-mini", api_key=SecretStr("k"), base_url=f"{stub.url}/v1", **clients)
    meter(model.root_client)
    meter(model.root_async_client)
    yield model
    http.close()


async def closed(gpt: Any, work: Any) -> None:
    await work
    await gpt.root_async_client.close()


def chained(gpt: Any, config: Any) -> None:
    (RunnableLambda(str) | gpt).batch(["a", "b", "c"], config)


def chained_asynchronously(gpt: Any, config: Any) -> None:
    asyncio.run(closed(gpt, (RunnableLambda(str) | gpt).abatch(["a", "b", "c"], config)))


def bare(gpt: Any, config: Any) -> None:
    gpt.batch(["a", "b", "c"], config)


def generated(gpt: Any, config: Any) -> None:
    gpt.generate([[HumanMessage(text)] for text in "abc"], callbacks=config["callbacks"])


def generated_asynchronously(gpt: Any, config: Any) -> None:
    asyncio.run(closed(gpt, gpt.agenerate([[HumanMessage(text)] for text in "abc"], callbacks=config["callbacks"])))


WAYS = [chained, chained_asynchronously, bare, generated, generated_asynchronously]


@pytest.mark.parametrize("ask", WAYS)
def test_each_call_of_a_batch_is_billed_once_and_to_its_own_run(gpt: Any, config: Any, bill: Any, ask: Any) -> None:
    ask(gpt, config)
    assert bill().tokens == [(1000, 100)] * 3


@pytest.mark.parametrize("ask", WAYS)
def test_each_call_of_a_batch_in_a_block_is_billed_once(
    gpt: Any, billing: AgentBilling, config: Any, bill: Any, ask: Any
) -> None:
    with billing.run("Block"):
        ask(gpt, config)
    assert bill().tokens == [(3000, 300)]


def test_each_client_of_a_batch_pays_for_its_call(
    gpt: Any, config: Any, bill: Any, keito_client: Any, keito_sandbox: Any
) -> None:
    projects = [keito_client.projects.create(client_id=keito_sandbox.client_id, name=name).id for name in "abc"]
    configs = [{**config, "metadata": {"keito_project_id": project}} for project in projects]
    (RunnableLambda(str) | gpt).batch(["a", "b", "c"], configs)
    found = bill()
    assert sorted(expense.project_id for expense in found.expenses) == sorted(projects)
    assert found.tokens == [(1000, 100)] * 3
