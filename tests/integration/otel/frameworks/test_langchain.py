"""The same LangChain agent, billed by the callback handler, by spans, and by both at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from httpx import RemoteProtocolError
from keito_langchain import KeitoCallbackHandler
from langchain_core.caches import InMemoryCache
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_openai import ChatOpenAI
from openai import NotFoundError
from openinference.instrumentation.langchain import LangChainInstrumentor

from keito import Keito
from keito.billing import AgentBilling, Outcome
from keito.metering import log_outcome
from tests.integration.otel.conftest import Bill, Tracing
from tests.integration.providers import Stub

WAYS = ["handler", "spans", "both", "two billings"]


def resolve(message: Any) -> Any:
    log_outcome(Outcome("ticket_resolved", 0.99))
    return message


def chain(stub: Stub) -> Any:
    model = ChatOpenAI(model="gpt-5-mini", base_url=stub.url, api_key="sk-loopback", stream_usage=True)
    return (RunnableLambda(str) | model | RunnableLambda(resolve)).with_config(run_name="Ticket 4821")


def invoke(agent: Any, config: Any) -> None:
    agent.invoke("hi", config)


def ainvoke(agent: Any, config: Any) -> None:
    asyncio.run(agent.ainvoke("hi", config))


def stream(agent: Any, config: Any) -> None:
    for _ in agent.stream("hi", config):
        pass


def astream(agent: Any, config: Any) -> None:
    async def main() -> None:
        async for _ in agent.astream("hi", config):
            pass

    asyncio.run(main())


def batch(agent: Any, config: Any) -> None:
    agent.batch(["hi", "ho"], config)


def lines(found: Bill) -> list[Any]:
    """What is on the bill, without what differs from run to run."""
    kinds = [(entry, "time") for entry in found.time] + [(entry, "outcome") for entry in found.outcomes]
    entries = [
        (kind, entry.notes, entry.project_id, entry.metadata.get("model"), entry.metadata.get("outcome_unit_price"))
        for entry, kind in kinds
    ]
    expenses = [("expense", e.project_id, e.metadata.get("model"), e.total_cost) for e in found.expenses]
    return sorted([*entries, *expenses], key=str)


@pytest.fixture
def configured(
    traced: Any, instrumented: Any, billing: AgentBilling, keito_client: Keito, request: Any
) -> Iterator[Any]:
    way: str = request.param
    tracing = traced()
    if way != "handler":
        instrumented(LangChainInstrumentor(), tracer_provider=tracing.provider)
    of_handler = AgentBilling(billing.policy, keito_client) if way == "two billings" else billing
    handler = KeitoCallbackHandler(of_handler)
    yield tracing, {"callbacks": [] if way == "spans" else [handler]}
    assert of_handler.guard.count == 0
    of_handler.close()


@pytest.mark.parametrize("configured", WAYS, indirect=True)
@pytest.mark.parametrize("use", [invoke, ainvoke, stream, astream, batch])
def test_the_same_records_once(configured: tuple[Tracing, Any], stub: Stub, use: Any) -> None:
    tracing, config = configured
    handler = next(iter(config["callbacks"]), None)
    use(chain(stub), config)
    if handler is not None:
        assert handler.flush().complete
    found = tracing.bill()
    model = {"provider": "openai", "tokens_in": 1000, "tokens_out": 100, "cost_usd": 0.00036}
    names = {entry.metadata["model"].pop("name") for entry in [*found.time, *found.expenses]}
    runs = 2 if use is batch else 1
    assert names <= {"gpt-5-mini", "gpt-5-mini-2025-08-07"}
    expected = [
        *[("expense", "proj_support", model, 0.00036)] * runs,
        *[("outcome", "ticket_resolved", "proj_support", None, 0.99)] * runs,
        *[("time", "Ticket 4821", "proj_support", model, None)] * runs,
    ]
    assert lines(found) == expected


@pytest.mark.parametrize("configured", WAYS, indirect=True)
@pytest.mark.parametrize("use", [stream, astream])
@pytest.mark.parametrize("is_refused", [False, True])
def test_a_stream_that_breaks_is_flagged_and_one_that_is_refused_is_free(
    configured: tuple[Tracing, Any], stub: Stub, use: Any, is_refused: bool
) -> None:
    """Who has begun to answer charges for it, and nobody says how much."""
    tracing, config = configured
    stub.break_after, stub.refused = 3, "gpt-5-mini" if is_refused else None
    with suppress(RemoteProtocolError, NotFoundError):
        use(chain(stub), config)
    for handler in config["callbacks"]:
        assert handler.flush().complete
    found = tracing.bill()
    assert found.facts["status"] == "failed"
    assert found.facts.get("flags") == (None if is_refused else ["unpriced"])
    assert (found.outcomes, found.expenses) == ([], [])


@pytest.mark.parametrize("configured", WAYS, indirect=True)
@pytest.mark.parametrize("use", [invoke, stream, astream])
def test_a_call_without_usage_is_flagged_once(configured: tuple[Tracing, Any], stub: Stub, use: Any) -> None:
    tracing, config = configured
    stub.usage = False
    use(chain(stub), config)
    for handler in config["callbacks"]:
        assert handler.flush().complete
    found = tracing.bill()
    ((unpriced,), calls) = found.facts["unpriced"], found.facts["calls"]
    assert (unpriced["calls"], calls, found.expenses, len(found.outcomes)) == (1, 1, [], 1)


@pytest.mark.parametrize("configured", ["spans"], indirect=True)
@pytest.mark.parametrize("use", [invoke, ainvoke, stream, astream, batch])
def test_a_client_that_has_an_instrumentation_of_its_own_counts_once(
    configured: tuple[Tracing, Any], stub: Stub, instrumented: Any, use: Any
) -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    tracing, config = configured
    instrumented(OpenAIInstrumentor(), tracer_provider=tracing.provider)
    use(chain(stub), config)
    found, runs = tracing.bill(), 2 if use is batch else 1
    assert [entry.notes for entry in found.time] == ["Ticket 4821"] * runs
    assert found.tokens == [(1000, 100)] * runs
    assert len(found.expenses) == runs


@pytest.mark.parametrize("configured", ["spans"], indirect=True)
@pytest.mark.parametrize("use", [invoke, ainvoke, stream, astream, batch])
def test_a_client_that_has_an_instrumentation_of_its_own_counts_once_inside_a_request(
    configured: tuple[Tracing, Any], stub: Stub, instrumented: Any, use: Any
) -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    tracing, _ = configured
    instrumented(OpenAIInstrumentor(), tracer_provider=tracing.provider)
    with tracing.tracer("acme.server").start_as_current_span("POST /tickets"):
        use(chain(stub), {})
    found, calls = tracing.bill(), 2 if use is batch else 1
    assert [entry.notes for entry in found.time] == ["POST /tickets"]
    assert (found.tokens, found.facts["calls"]) == ([(1000 * calls, 100 * calls)], calls)


@pytest.mark.parametrize("configured", ["spans"], indirect=True)
@pytest.mark.parametrize("request_span", [False, True])
def test_the_very_first_model_call_of_a_process_counts_once(
    configured: tuple[Tracing, Any],
    stub: Stub,
    instrumented: Any,
    monkeypatch: pytest.MonkeyPatch,
    request_span: bool,
) -> None:
    from openinference.instrumentation.langchain._tracer import OpenInferenceTracer
    from openinference.instrumentation.openai import OpenAIInstrumentor

    monkeypatch.setattr(OpenInferenceTracer, "run_inline", False)  # as it is before keito has seen a span of it
    tracing, _ = configured
    instrumented(OpenAIInstrumentor(), tracer_provider=tracing.provider)
    server = tracing.tracer("acme.server").start_as_current_span("POST /tickets") if request_span else nullcontext()
    with server:
        asyncio.run(ChatOpenAI(model="gpt-5-mini", base_url=stub.url, api_key="sk-loopback").ainvoke("hi"))
    assert tracing.bill().tokens == [(1000, 100)]


@pytest.mark.parametrize("configured", WAYS, indirect=True)
def test_answers_of_langchains_cache_are_not_billed(configured: tuple[Tracing, Any], stub: Stub) -> None:
    tracing, config = configured
    model = ChatOpenAI(model="gpt-5-mini", base_url=stub.url, api_key="sk-loopback", cache=InMemoryCache())
    for _ in range(2):
        model.invoke("hi", config)
    for handler in config["callbacks"]:
        assert handler.flush().complete
    found = tracing.bill()
    assert (len(stub.bodies), len(found.time)) == (1, 2)
    assert [expense.metadata["model"]["tokens_in"] for expense in found.expenses] == [1000]


@pytest.mark.parametrize("configured", ["spans"], indirect=True)
def test_models_side_by_side_whose_client_has_an_instrumentation_count_once_each(
    configured: tuple[Tracing, Any], stub: Stub, instrumented: Any
) -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    tracing, _ = configured
    instrumented(OpenAIInstrumentor(), tracer_provider=tracing.provider)
    model = ChatOpenAI(model="gpt-5-mini", base_url=stub.url, api_key="sk-loopback")

    async def main() -> None:
        await asyncio.gather(*(model.ainvoke("hi") for _ in range(4)), RunnableParallel(a=model, b=model).ainvoke("hi"))

    asyncio.run(main())
    found = tracing.bill()
    assert sorted(found.tokens) == [(1000, 100)] * 4 + [(2000, 200)]
