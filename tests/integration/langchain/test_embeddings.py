"""Embeddings: LangChain tells its handlers nothing of them, and providers charge for them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_openai")
pytest.importorskip("genai_prices")

import openai
from keito_langchain import BilledEmbeddings
from langchain_core.embeddings import Embeddings
from langchain_core.runnables import RunnableLambda
from langchain_openai import OpenAIEmbeddings

from keito.billing import AgentBilling

from ..providers import EMBEDDINGS, Stub


class Silent(Embeddings):
    """Reports no tokens."""

    def embed_query(self, text: str) -> list[float]:
        return [0.0] * 4

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


@pytest.fixture
def embeddings(stub: Stub, billing: AgentBilling) -> Iterator[Any]:
    http = openai.DefaultHttpxClient()

    def make(**clients: Any) -> BilledEmbeddings:
        inner = OpenAIEmbeddings(
            model="text-embedding-3-small",
            api_key="k",  # type: ignore[arg-type]
            base_url=f"{stub.url}/v1",
            check_embedding_ctx_length=False,
            http_client=http,
            **clients,
        )
        return BilledEmbeddings(inner, billing)

    yield make
    http.close()


def test_by_themselves_they_are_a_run(embeddings: Any, bill: Any) -> None:
    assert embeddings().embed_query("hi") == pytest.approx([0.5, 1.0])
    found = bill()
    assert found.tokens == [(EMBEDDINGS, 0)]
    assert found.cost == ["0.00000016"]  # 8 tokens at 0.02 dollars for a million
    assert found.time[0].notes == "Embeddings"


def test_inside_a_run_they_are_a_part_of_it(embeddings: Any, model: Any, config: Any, bill: Any) -> None:
    billed = embeddings()
    chain = RunnableLambda(lambda text: str(billed.embed_documents([text, text]))) | model()
    chain.invoke("hi", config)
    found = bill()
    assert len(found.time) == 1
    assert found.tokens == [(1000 + EMBEDDINGS, 100)]
    assert found.cost == ["0.00045016"]


def test_asynchronously(embeddings: Any, bill: Any) -> None:
    async def main() -> None:
        async with openai.DefaultAsyncHttpxClient() as http:
            billed = embeddings(http_async_client=http)
            await billed.aembed_query("hi")
            await billed.aembed_documents(["a", "b"])

    asyncio.run(main())
    assert bill().tokens == [(EMBEDDINGS, 0)] * 2


def test_what_a_provider_does_not_report_is_unknown_and_not_free(billing: AgentBilling, bill: Any) -> None:
    billed = BilledEmbeddings(Silent(), billing)
    assert len(billed.embed_query("hi")) == 4
    assert len(asyncio.run(billed.aembed_documents(["a", "b"]))) == 2
    found = bill()
    assert found.expenses == []
    for entry in found.time:
        assert entry.metadata["keito"]["unpriced"] == [{"model": "Silent", "reason": "not reported", "calls": 1}]


def test_a_failure_is_the_programs_and_costs_nothing(embeddings: Any, stub: Stub, bill: Any) -> None:
    stub.status = 400
    with pytest.raises(openai.BadRequestError):
        embeddings().embed_query("hi")
    found = bill()
    assert (found.statuses, found.expenses) == (["failed"], [])


def test_a_billing_and_policy_fields_contradict(billing: AgentBilling) -> None:
    with pytest.raises(TypeError, match="project_id"):
        BilledEmbeddings(Silent(), billing, project_id="other")
