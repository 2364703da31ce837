"""Models of langchain-openai and langchain-anthropic, which talk to a server: what it counted is what is billed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_openai")
pytest.importorskip("langchain_anthropic")
pytest.importorskip("genai_prices")

import openai
from keito_langchain import KeitoCallbackHandler
from langchain_anthropic import ChatAnthropic
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from keito.billing import Outcome
from keito.metering import log_outcome

from ..providers import Stub

# The models of these tests are older than the library.
pytestmark = pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning")

# 600 uncached, 400 cached and 100 output tokens of gpt-5-mini at 0.25, 0.025 and 2 dollars for a million.
CHAT_COST = "0.00036"
FLEX_COST = "0.00018"
# 20 uncached, 400 cached, 200 and 100 written for 5 minutes and 1 hour, 100 output at 3, 0.3, 3.75, 6 and 15 dollars.
MESSAGE_COST = "0.00303"
BROKEN = r"(?i)chunk|peer|connection"


@pytest.fixture
def gpt(stub: Stub) -> Iterator[Any]:
    """Makes a chat model of OpenAI. Its clients are its own: LangChain shares those that it makes between tests."""
    http = openai.DefaultHttpxClient()

    def make(**options: Any) -> Any:
        clients: Any = {"http_client": http, "max_retries": 0}
        return ChatOpenAI(model="gpt-5-mini", api_key="k", base_url=f"{stub.url}/v1", **clients, **options)

    yield make
    http.close()


@pytest.fixture
def claude(stub: Stub) -> Iterator[Any]:
    model = ChatAnthropic(
        model_name="claude-sonnet-4-5", api_key="k", base_url=stub.url, max_retries=0, timeout=None, stop=None
    )
    yield model
    model._client.close()


def check(found: Any, cost: str, **facts: Any) -> None:
    """One run, at this cost to the last digit, whose records belong together."""
    (time,), (expense,) = found.time, found.expenses
    assert found.cost == [cost]
    assert expense.total_cost == pytest.approx(float(cost), abs=1e-12)
    assert time.hours is not None
    assert 0 < time.hours < 0.01
    records = [*found.time, *found.outcomes, *found.expenses]
    assert len({record.metadata["session_id"] for record in records}) == 1
    keys = [record.metadata["keito"]["key"] for record in records]
    assert len(set(keys)) == len(keys)
    assert {name: expense.metadata["keito"].get(name) for name in facts} == facts


def test_chat(gpt: Any, config: Any, bill: Any) -> None:
    (RunnableLambda(str) | gpt()).invoke("hi", config)
    found = bill()
    check(found, CHAT_COST, cache_read_tokens=400, reasoning_tokens=60, calls=1)
    assert found.tokens == [(1000, 100)]
    assert found.time[0].metadata["model"]["name"] == "gpt-5-mini-2025-08-07"
    assert found.time[0].metadata["model"]["provider"] == "openai"


def test_responses_in_the_flex_tier(gpt: Any, config: Any, bill: Any) -> None:
    gpt(use_responses_api=True).invoke("hi", config)
    check(bill(), FLEX_COST, cache_read_tokens=400)


def test_streamed_responses(gpt: Any, config: Any, bill: Any) -> None:
    assert list(gpt(use_responses_api=True).stream("hi", config))
    check(bill(), FLEX_COST)


def test_a_stream_with_usage(gpt: Any, config: Any, bill: Any) -> None:
    assert list((RunnableLambda(str) | gpt(stream_usage=True)).stream("hi", config))
    check(bill(), CHAT_COST, calls=1)


def test_a_stream_without_usage_is_unknown_and_said_with_what_helps(
    gpt: Any, config: Any, bill: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert list(gpt().stream("hi", config))
    found = bill()
    assert found.expenses == []
    assert [entry.metadata["keito"]["unpriced"][0]["reason"] for entry in found.time] == ["not reported"] * 3
    assert len([line for line in caplog.messages if "stream_usage=True" in line]) == 1


def test_a_model_that_streams_below_invoke(gpt: Any, config: Any, bill: Any) -> None:
    gpt(streaming=True, stream_usage=True).invoke("hi", config)
    check(bill(), CHAT_COST, calls=1)


def test_two_answers_of_one_call_are_counted_once(gpt: Any, config: Any, bill: Any) -> None:
    gpt(n=2).invoke("hi", config)
    check(bill(), CHAT_COST, calls=1)


def test_asynchronously(gpt: Any, config: Any, bill: Any) -> None:
    async def main() -> None:
        async with openai.DefaultAsyncHttpxClient() as http:
            model = gpt(http_async_client=http, stream_usage=True)
            await model.ainvoke("hi", config)
            assert [chunk async for chunk in model.astream("hi", config)]

    asyncio.run(main())
    assert bill().cost == [CHAT_COST] * 2


def test_a_message_of_anthropic_with_its_cache(claude: Any, config: Any, bill: Any) -> None:
    claude.invoke("hi", config)
    found = bill()
    check(found, MESSAGE_COST, cache_read_tokens=400, cache_write_tokens=300)
    assert found.tokens == [(720, 100)]


def test_a_streamed_message_of_anthropic(claude: Any, config: Any, bill: Any) -> None:
    assert list(claude.stream("hi", config))
    # Streams don't tell how long the cache keeps what was written: all 300 tokens at 3.75 dollars.
    check(bill(), "0.002805", cache_read_tokens=400, cache_write_tokens=300)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_an_answer_that_breaks_off_has_an_unknown_cost(
    gpt: Any, claude: Any, stub: Stub, config: Any, bill: Any, provider: str
) -> None:
    stub.break_after = 4
    model = gpt(stream_usage=True) if provider == "openai" else claude
    with pytest.raises(Exception, match=BROKEN):
        list(model.stream("hi", config))
    found = bill()
    assert found.expenses == []
    assert found.facts["unpriced"][0]["reason"] == "stopped before usage arrived"


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_refused_call_costs_nothing(gpt: Any, stub: Stub, config: Any, bill: Any, status: int) -> None:
    stub.status = status
    with pytest.raises(openai.APIStatusError):
        gpt().invoke("hi", config)
    found = bill()
    assert (found.expenses, found.facts["failed_calls"], found.facts.get("unpriced")) == ([], 1, None)


def test_a_slow_answer_is_billed_for_the_time_that_it_took(gpt: Any, stub: Stub, config: Any, bill: Any) -> None:
    stub.gate = threading.Event()
    stream = gpt(stream_usage=True).stream("hi", config)
    next(stream)
    threading.Timer(0.3, stub.gate.set).start()
    assert list(stream)
    (entry,) = bill().time
    assert entry.metadata["keito"]["duration_s"] >= 0.3
    assert entry.hours >= 0.3 / 3600


def test_an_agent_with_tools(gpt: Any, stub: Stub, config: Any, bill: Any) -> None:
    agents = pytest.importorskip("langchain.agents")

    @tool
    def resolve(ticket: str) -> str:
        """Resolve a ticket."""
        log_outcome(Outcome("ticket_resolved", "0.99", evidence={"ticket": ticket}))
        return "done"

    stub.turns = [[("resolve", {"ticket": "1"}), ("resolve", {"ticket": "2"})], [("resolve", {"ticket": "3"})]]
    agents.create_agent(gpt(), [resolve]).invoke({"messages": [("user", "Resolve all.")]}, config)
    found = bill()
    check(found, "0.00108", calls=3)  # three calls at 0.00036
    assert sorted(entry.metadata["outcome_evidence"]["ticket"] for entry in found.outcomes) == ["1", "2", "3"]
    assert found.facts["usage"] == [{"name": "resolve", "unit": "tool", "quantity": "3"}]


def test_an_agent_of_another_provider_with_a_fallback(
    gpt: Any, claude: Any, stub: Stub, config: Any, bill: Any
) -> None:
    broken = gpt().bind(model="no-such-model")
    stub.refused = "no-such-model"
    broken.with_fallbacks([claude]).invoke("hi", config)
    found = bill()
    check(found, MESSAGE_COST, calls=1, failed_calls=1)


def test_two_models_of_one_run_are_priced_each_by_itself(gpt: Any, claude: Any, config: Any, bill: Any) -> None:
    (gpt() | RunnableLambda(lambda answer: answer.content) | claude).invoke("hi", config)
    found = bill()
    check(found, "0.00339", calls=2)
    assert sorted((row["name"], row["calls"]) for row in found.time[0].metadata["models"]) == [
        ("claude-sonnet-4-5-20250929", 1),
        ("gpt-5-mini-2025-08-07", 1),
    ]


def test_structured_output_is_one_call(gpt: Any, config: Any, bill: Any) -> None:
    schema = {"title": "Answer", "type": "object", "properties": {"number": {"type": "integer"}}}
    assert gpt().with_structured_output(schema, method="json_mode").invoke("hi", config) == {"number": 7}
    check(bill(), CHAT_COST, calls=1)


def test_events_of_a_stream_are_counted_once(gpt: Any, config: Any, bill: Any) -> None:
    async def main() -> None:
        async with openai.DefaultAsyncHttpxClient() as http:
            model = gpt(http_async_client=http, stream_usage=True)
            chain = RunnableLambda(str) | model
            assert [event async for event in chain.astream_events("hi", config, version="v2")]

    asyncio.run(main())
    check(bill(), CHAT_COST, calls=1)


@pytest.mark.parametrize(("calls", "runs"), [("invoke", 1), ("stream", 1), ("batch", 3), ("chain", 1)])
def test_two_handlers_that_would_bill_the_same_bill_once(
    calls: str, runs: int, gpt: Any, keito_client: Any, keito_sandbox: Any, billing: Any, bill: Any
) -> None:
    places = {"project_id": keito_sandbox.project_id, "task_id": keito_sandbox.task_id}
    from keito.billing import AgentBilling

    first, second = (KeitoCallbackHandler(AgentBilling(client=keito_client, **places)) for _ in range(2))
    model, config = gpt(callbacks=[first], stream_usage=True), RunnableConfig(callbacks=[second])
    if calls == "batch":
        model.batch(["a", "b", "c"], config)
    elif calls == "stream":
        list(model.stream("hi", config))
    else:
        (model if calls == "invoke" else RunnableLambda(str) | model).invoke("hi", config)
    assert bill().tokens == [(1000, 100)] * runs
    assert len(bill().time) == runs


def test_a_request_with_a_handler_of_its_own_is_no_part_of_a_stream_that_is_open(
    gpt: Any, keito_client: Any, keito_sandbox: Any, billing: Any, bill: Any
) -> None:
    places = {"project_id": keito_sandbox.project_id, "task_id": keito_sandbox.task_id}
    from keito.billing import AgentBilling

    def config(session: str) -> Any:
        handler = KeitoCallbackHandler(AgentBilling(client=keito_client, **places))
        return {"callbacks": [handler], "metadata": {"keito_session_id": session}}

    chain = RunnableLambda(str) | gpt(stream_usage=True)
    chunks = chain.stream("first", config("S1"))
    next(chunks)
    chain.invoke("second", config("S2"))
    list(chunks)
    assert sorted(entry.metadata["session_id"] for entry in bill().time) == ["S1", "S2"]
    assert bill().tokens == [(1000, 100)] * 2
