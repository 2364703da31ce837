"""Which spans become a bill, and which do not."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk")
pytest.importorskip("genai_prices")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from .conftest import AGENT, CHAT, Tracing, usage


def chat(tracer: Any, **more: Any) -> None:
    """A model call, as most frameworks report it: the tokens come at its end."""
    with tracer.start_as_current_span("chat gpt-5-mini", attributes=CHAT) as span:
        span.set_attributes(usage(**more))


def test_a_root_span_becomes_one_time_entry_and_one_expense(tracing: Tracing) -> None:
    tracer = tracing.tracer("pydantic-ai")
    with tracer.start_as_current_span("invoke_agent helper", attributes=AGENT) as root:
        chat(tracer)
        with tracer.start_as_current_span("execute_tool", attributes={"gen_ai.operation.name": "execute_tool"}):
            chat(tracer)
        trace_id = f"{root.get_span_context().trace_id:032x}"
    found = tracing.bill()
    (time,), (expense,) = found.time, found.expenses
    assert (time.notes, time.project_id, time.task_id) == ("invoke_agent helper", "proj_support", "task_tickets")
    assert found.tokens == [(2000, 200)]
    assert expense.total_cost == pytest.approx(2 * (1000 * 0.25e-6 + 100 * 2e-6), abs=1e-9)
    assert time.metadata["agent"] == {"id": "helper", "framework": "pydantic-ai"}
    assert time.metadata["run"]["trace_id"] == expense.metadata["run"]["trace_id"] == trace_id
    assert time.metadata["session_id"] == trace_id
    assert found.facts["calls"] == 2


def test_the_time_is_that_of_the_root_span(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    root = tracer.start_span("report", start_time=10**18)
    with tracer.start_as_current_span("chat", attributes=CHAT | usage(), context=set_span_in_context(root)):
        pass
    root.end(end_time=10**18 + 90 * 10**9)
    found = tracing.bill()
    assert found.time[0].hours == pytest.approx(0.025)
    assert found.time[0].spent_date is not None
    assert str(found.time[0].spent_date).startswith("2001-09-0")


@pytest.mark.parametrize("operation", ["invoke_agent", "create_agent", "invoke_workflow", "execute_task", "plan"])
def test_sums_that_agents_and_workflows_repeat_are_not_added(tracing: Tracing, operation: str) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes={"gen_ai.operation.name": operation}) as agent:
        chat(tracer)
        chat(tracer)
        agent.set_attributes(usage(2000, 200))
    assert tracing.bill().tokens == [(2000, 200)]


@pytest.mark.parametrize("kind", ["AGENT", "CHAIN", "TOOL"])
def test_sums_of_openinference_are_not_added(tracing: Tracing, kind: str) -> None:
    tracer = tracing.tracer("openinference.instrumentation.crewai")
    counts = {"llm.token_count.prompt": 1000, "llm.token_count.completion": 100, "llm.model_name": "gpt-5-mini"}
    with tracer.start_as_current_span("crew") as crew:
        crew.set_attributes({"openinference.span.kind": kind, **counts})
        with tracer.start_as_current_span("llm", attributes={"openinference.span.kind": "LLM", **counts}):
            pass
    assert tracing.bill().tokens == [(1000, 100)]


def test_sums_of_an_agent_whose_model_calls_have_no_spans_are_flagged_and_not_free(tracing: Tracing) -> None:
    session = {"gen_ai.operation.name": "bidi_session", "gen_ai.request.model": "nova-sonic"}
    with tracing.tracer("strands").start_as_current_span("bidi_session", attributes=session) as span:
        span.set_attributes(usage(9000, 900))
    found = tracing.bill()
    assert found.expenses == []
    assert found.facts["unpriced"] == [{"model": "nova-sonic", "reason": "not reported", "calls": 1}]


def test_the_span_of_a_client_inside_the_span_of_a_framework_counts_once(tracing: Tracing) -> None:
    tracer, client = tracing.tracer("pydantic-ai"), tracing.tracer("opentelemetry.instrumentation.openai_v2")
    with tracer.start_as_current_span("chat", attributes=CHAT) as framework:
        with tracing.tracer("http").start_as_current_span("POST"), client.start_as_current_span("chat") as call:
            served = {"gen_ai.response.model": "gpt-5-mini-2025-08-07", "gen_ai.response.id": "chatcmpl-1"}
            call.set_attributes(CHAT | usage() | served)
        framework.set_attributes(usage())
    found = tracing.bill()
    assert found.tokens == [(1000, 100)]
    assert found.time[0].metadata["model"]["name"] == "gpt-5-mini-2025-08-07"


def test_where_only_the_framework_counts_its_counts_are_taken(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("chat", attributes=CHAT) as framework:
        with tracer.start_as_current_span("chat", attributes=CHAT) as call:
            call.set_attribute("gen_ai.response.model", "gpt-5-mini-2025-08-07")
        framework.set_attributes(usage())
    found = tracing.bill()
    assert (found.tokens, found.facts["calls"]) == ([(1000, 100)], 1)
    assert found.time[0].metadata["model"]["name"] == "gpt-5-mini-2025-08-07"


def test_every_attempt_inside_a_frameworks_span_counts(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("chat", attributes=CHAT | usage()):
        chat(tracer, taken=10, made=1)
        chat(tracer, taken=20, made=2)
    assert tracing.bill().tokens == [(30, 3)]


def test_an_agent_that_a_model_calls_as_a_tool_counts_beside_it(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with (
        tracer.start_as_current_span("chat", attributes=CHAT | usage()),
        tracer.start_as_current_span("helper", attributes=AGENT),
    ):
        chat(tracer, taken=10, made=1)
    assert tracing.bill().tokens == [(1010, 101)]


def test_a_client_whose_span_ends_after_the_frameworks_counts_once(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT):
        with tracer.start_as_current_span("chat", attributes=CHAT | usage()):
            stream = tracer.start_span("chat", attributes=CHAT | usage())
        stream.end()
    assert tracing.bill().tokens == [(1000, 100)]


def test_embeddings_inside_a_model_call_count_beside_it(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    embeddings = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "text-embedding-3-small"}
    with tracer.start_as_current_span("chat", attributes=CHAT | usage()):
        for _ in range(2):
            with tracer.start_as_current_span("e", attributes=embeddings | {"gen_ai.usage.input_tokens": 7}):
                pass
    assert tracing.bill().tokens == [(1014, 100)]


def test_an_answer_that_two_traces_report_counts_once(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    for _ in range(2):
        with tracer.start_as_current_span("agent", attributes=AGENT):
            chat(tracer, **{"gen_ai.response.id": "resp_68a1b2c3d4e5f607"})
    assert sorted(tracing.bill().tokens) == [(0, 0), (1000, 100)]


def test_answers_of_a_small_server_that_gives_all_of_them_one_id_count_each(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    for number in (1, 2, 3):
        with tracer.start_as_current_span("agent", attributes=AGENT):
            chat(tracer, taken=number, **{"gen_ai.response.id": "chatcmpl-123"})
    assert sorted(tracing.bill().tokens) == [(1, 100), (2, 100), (3, 100)]


def test_an_answer_whose_tokens_only_the_second_trace_knows_counts(tracing: Tracing) -> None:
    tracer, answer = tracing.tracer(), {"gen_ai.response.id": "resp_68a1b2c3d4e5f607"}
    for number in (1, 2):
        with (
            tracer.start_as_current_span(f"agent {number}", attributes=AGENT),
            tracer.start_as_current_span("chat", attributes=CHAT | answer) as span,
        ):
            span.set_attributes(usage() if number == 2 else {})
    assert tracing.bill().tokens == [(0, 0), (1000, 100)]


@pytest.mark.parametrize(
    "operation",
    ["text_completions", "chat.completions", "chat.streaming_completions", "text.streaming_completions"],
)
def test_the_operations_of_semantic_kernel_are_model_calls(tracing: Tracing, operation: str) -> None:
    with tracing.tracer("semantic_kernel").start_as_current_span("chat.completions gpt-5-mini") as span:
        span.set_attributes({**CHAT, "gen_ai.operation.name": operation, **usage()})
    assert tracing.bill().tokens == [(1000, 100)]


@pytest.mark.parametrize("operation", [["chat"], 5, {"name": "chat"}])
def test_an_operation_that_is_no_text_costs_no_bill(tracing: Tracing, operation: Any) -> None:
    with (
        tracing.tracer().start_as_current_span("agent", attributes=AGENT),
        tracing.tracer().start_as_current_span("chat", attributes=CHAT | usage()) as span,
    ):
        span.set_attribute("gen_ai.operation.name", operation)
    assert tracing.bill().tokens == [(1000, 100)]


def test_traces_without_an_agent_give_nothing(tracing: Tracing) -> None:
    tracer = tracing.tracer("opentelemetry.instrumentation.fastapi")
    with tracer.start_as_current_span("GET /"), tracer.start_as_current_span("SELECT") as query:
        query.record_exception(ValueError("x"))
    found = tracing.bill()
    assert (found.time, found.expenses, len(tracing.processor._table)) == ([], [], 0)


def test_a_request_in_which_an_agent_works_is_its_run(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracing.tracer("opentelemetry.instrumentation.fastapi").start_as_current_span("POST /chat"):
        for _ in range(2):
            with tracer.start_as_current_span("agent", attributes=AGENT):
                chat(tracer)
    found = tracing.bill()
    assert [entry.notes for entry in found.time] == ["POST /chat"]
    assert found.tokens == [(2000, 200)]


def test_calls_that_say_what_they_are_only_at_their_end_count(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("job"), tracer.start_as_current_span("ask") as span:
        span.set_attributes({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-5-mini"} | usage())
    found = tracing.bill()
    assert [entry.notes for entry in found.time] == ["job"]
    assert found.tokens == [(1000, 100)]


def test_a_model_call_by_itself_is_a_run(tracing: Tracing) -> None:
    chat(tracing.tracer())
    chat(tracing.tracer())
    assert tracing.bill().tokens == [(1000, 100)] * 2


def test_children_in_threads_belong_to_their_root(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT) as root:
        context = set_span_in_context(root)

        def ask() -> None:
            with tracer.start_as_current_span("chat", context=context, attributes=CHAT | usage()):
                pass

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert tracing.bill().tokens == [(8000, 800)]


def test_the_first_work_of_a_request_in_two_threads_is_one_run(tracing: Tracing) -> None:
    tracer, barrier = tracing.tracer(), threading.Barrier(2)
    with tracer.start_as_current_span("POST /chat") as root:
        context = set_span_in_context(root)

        def ask() -> None:
            barrier.wait()
            with tracer.start_as_current_span("chat", context=context, attributes=CHAT | usage()):
                pass

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert tracing.bill().tokens == [(2000, 200)]


def test_picked_spans_are_runs_of_their_own(traced: Any) -> None:
    tracing = traced(root=lambda span: span.name.startswith("ticket"))
    tracer = tracing.tracer()
    with tracer.start_as_current_span("worker"):
        for number in (1, 2):
            with (
                tracer.start_as_current_span(f"ticket {number}"),
                tracer.start_as_current_span("ticket agent", attributes=AGENT),
            ):
                chat(tracer, taken=number)
    found = tracing.bill()
    assert sorted(str(entry.notes) for entry in found.time) == ["ticket 1", "ticket 2"]
    assert found.tokens == [(1, 100), (2, 100)]


def test_work_outside_of_picked_spans_belongs_to_the_root(traced: Any) -> None:
    tracing = traced(root=lambda span: span.name == "ticket")
    tracer = tracing.tracer()
    with tracer.start_as_current_span("worker"):
        chat(tracer, taken=5)
        with tracer.start_as_current_span("ticket"):
            chat(tracer, taken=7)
    found = tracing.bill()
    assert sorted(str(entry.notes) for entry in found.time) == ["ticket", "worker"]
    assert found.tokens == [(7, 100), (5, 100)]


def test_a_call_without_usage_is_flagged_and_not_free(tracing: Tracing) -> None:
    with tracing.tracer().start_as_current_span("chat", attributes=CHAT):
        pass
    found = tracing.bill()
    assert found.expenses == []
    assert found.facts["flags"] == ["unpriced"]
    assert found.facts["unpriced"] == [{"model": "gpt-5-mini", "reason": "not reported", "calls": 1}]


def test_counts_that_do_not_add_up_are_flagged(tracing: Tracing) -> None:
    chat(tracing.tracer(), taken=10, **{"gen_ai.usage.cache_read.input_tokens": 50})
    found = tracing.bill()
    assert found.facts["unpriced"] == [{"model": "gpt-5-mini", "reason": "token counts do not add up", "calls": 1}]


@pytest.mark.parametrize("count", [10**300, 10**12, -(10**300), 1e300], ids=["huge", "large", "negative", "float"])
def test_a_count_that_no_call_has_is_flagged_and_not_posted(tracing: Tracing, count: float) -> None:
    chat(tracing.tracer(), **{"gen_ai.usage.input_tokens": count})
    found = tracing.bill()
    assert (found.tokens, found.expenses) == ([(0, 100)], [])
    assert found.facts["unpriced"] == [{"model": "gpt-5-mini", "reason": "token counts do not add up", "calls": 1}]


def test_a_model_whose_framework_names_itself_as_the_provider_has_a_price(tracing: Tracing) -> None:
    chat(tracing.tracer("strands.telemetry.tracer"), **{"gen_ai.provider.name": "strands-agents"})
    (expense,) = tracing.bill().expenses
    assert expense.total_cost == 0.00045
    assert "provider" not in expense.metadata["model"]


def test_what_llama_index_does_before_a_call_is_no_call(tracing: Tracing) -> None:
    tracer = tracing.tracer("openinference.instrumentation.llama_index")
    model = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-5-mini", "llm.provider": "openai"}
    with tracer.start_as_current_span("FunctionAgent.run", attributes={"openinference.span.kind": "CHAIN"}):
        with tracer.start_as_current_span("OpenAI._prepare_chat_with_tools", attributes=model):
            pass
        with tracer.start_as_current_span("OpenAI.achat", attributes={**model, "llm.token_count.prompt": 9}):
            pass
    facts = tracing.bill().facts
    assert (facts["calls"], "flags" in facts) == (1, False)


def test_making_an_agent_is_no_work(tracing: Tracing) -> None:
    tracer = tracing.tracer("opentelemetry.instrumentation.langchain")
    with tracer.start_as_current_span("create_agent helper") as span:
        span.set_attributes({"gen_ai.operation.name": "create_agent", "gen_ai.agent.name": "helper"})
    assert tracing.bill().time == []


@pytest.mark.parametrize("failed_first", [True, False])
def test_a_call_without_usage_is_flagged_beside_one_that_failed(tracing: Tracing, failed_first: bool) -> None:
    tracer = tracing.tracer("opentelemetry.instrumentation.langchain")
    with tracer.start_as_current_span("RunnableWithFallbacks.workflow") as workflow:
        for fails in (failed_first, not failed_first):
            with tracer.start_as_current_span("chat", attributes=CHAT) as call:
                call.set_status(Status(StatusCode.ERROR) if fails else Status(StatusCode.OK))
        workflow.set_attribute("traceloop.span.kind", "workflow")
    facts = tracing.bill().facts
    assert (facts["failed_calls"], facts["unpriced"][0]["calls"], facts["flags"]) == (1, 1, ["unpriced"])


@pytest.mark.parametrize(
    "said", [{}, {"gen_ai.response.id": "chatcmpl-1"}, {"llm.output_messages.0.message.content": "Your"}]
)
def test_a_call_that_fails_when_its_answer_has_begun_is_flagged_and_not_free(
    tracing: Tracing, said: dict[str, str]
) -> None:
    tracer = tracing.tracer()
    with (
        tracer.start_as_current_span("agent", attributes=AGENT),
        suppress(ConnectionError),
        tracer.start_as_current_span("chat", attributes=CHAT | said) as span,
    ):
        if not said:
            span.add_event("First Token Stream Event")
        raise ConnectionError("peer closed connection")
    found = tracing.bill()
    assert found.facts["unpriced"] == [{"model": "gpt-5-mini", "reason": "stopped before usage arrived", "calls": 1}]
    assert found.expenses == []


def test_a_failed_call_is_not_charged(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT):
        with tracer.start_as_current_span("chat", attributes=CHAT | {"error.type": "openai.RateLimitError"}) as call:
            call.set_status(Status(StatusCode.ERROR, "429"))
        chat(tracer)
    facts = tracing.bill().facts
    assert (facts["calls"], facts["failed_calls"], "flags" in facts) == (1, 1, False)


@pytest.mark.parametrize(("error", "status"), [(ValueError, "failed"), (KeyboardInterrupt, "cancelled")])
def test_a_run_that_fails_is_billed_as_the_policy_says(
    tracing: Tracing, error: type[BaseException], status: str
) -> None:
    tracer = tracing.tracer()
    span = tracer.start_span("agent", attributes=AGENT)
    with tracer.start_as_current_span("chat", context=set_span_in_context(span), attributes=CHAT | usage()):
        pass
    span.set_status(Status(StatusCode.ERROR))
    span.record_exception(error())
    span.end()
    found = tracing.bill()
    assert (found.facts["status"], found.time[0].billable, len(found.expenses)) == (status, False, 1)


def test_a_root_that_was_renamed_is_billed_under_its_last_name(tracing: Tracing) -> None:
    with tracing.tracer().start_as_current_span("run", attributes=AGENT) as root:
        root.update_name("Answer ticket 4821")
    assert [entry.notes for entry in tracing.bill().time] == ["Answer ticket 4821"]


def test_spans_that_began_before_the_processor_came_are_left_alone(billing: Any, keito_client: Any) -> None:
    from keito_otel import KeitoSpanProcessor

    provider = TracerProvider(shutdown_on_exit=False)
    span = provider.get_tracer("a").start_span("agent", attributes=AGENT)
    processor = KeitoSpanProcessor(billing)
    provider.add_span_processor(processor)
    span.end()
    assert Tracing(provider, processor, keito_client).bill().time == []


def test_roots_of_one_framework_in_one_context_are_runs_of_their_own(tracing: Tracing) -> None:
    tracer = tracing.tracer("openinference.instrumentation.langchain")
    roots = [tracer.start_span(f"batch {number}", attributes=AGENT) for number in (1, 2)]
    for number, root in enumerate(roots, 1):
        context = set_span_in_context(root)
        with tracer.start_as_current_span("chat", context=context, attributes=CHAT | usage(number)):
            pass
    for root in roots:
        root.end()
    assert tracing.bill().tokens == [(1, 100), (2, 100)]


def test_an_agent_of_another_framework_inside_is_a_part(tracing: Tracing) -> None:
    outer = tracing.tracer("openinference.instrumentation.langchain").start_span("graph", attributes=AGENT)
    inner = tracing.tracer("pydantic-ai")
    with inner.start_as_current_span("agent", attributes=AGENT):  # a trace of its own: the one outside is not current
        chat(inner)
    outer.end()
    found = tracing.bill()
    assert [entry.notes for entry in found.time] == ["graph"]
    assert found.tokens == [(1000, 100)]


def test_the_client_of_a_provider_below_spans_that_are_never_current_counts_once(tracing: Tracing) -> None:
    framework, client = (
        tracing.tracer("openinference.instrumentation.langchain"),
        tracing.tracer("openinference.instrumentation.openai"),
    )
    model = framework.start_span("ChatOpenAI")  # says what it is at its end
    with client.start_as_current_span("ChatCompletion", attributes={"openinference.span.kind": "LLM"}) as call:
        call.set_attributes({"llm.model_name": "gpt-5-mini", "llm.token_count.prompt": 9, "llm.provider": "openai"})
    model.set_attributes({"openinference.span.kind": "LLM", "llm.model_name": "gpt-5-mini"})
    model.set_attributes({"llm.token_count.prompt": 9})
    model.end()
    found = tracing.bill()
    assert found.tokens == [(9, 0)]
    assert [entry.notes for entry in found.time] == ["ChatOpenAI"]


def test_the_client_of_a_provider_counts_once_where_a_request_is_the_only_current_span(tracing: Tracing) -> None:
    """Neither OpenInference's LangChain spans nor its streams of LlamaIndex are current ones."""
    framework, client = (
        tracing.tracer("openinference.instrumentation.llama_index"),
        tracing.tracer("openinference.instrumentation.openai"),
    )
    kind = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-5-mini", "llm.provider": "openai"}
    counts = {"llm.token_count.prompt": 9}
    with tracing.tracer("acme.server").start_as_current_span("POST /tickets"):
        model = framework.start_span("OpenAI.astream_chat", attributes=kind)
        with client.start_as_current_span("ChatCompletion", attributes=kind | counts):
            pass
        model.set_attributes(counts)
        model.end()
        with client.start_as_current_span("ChatCompletion", attributes=kind | counts):
            pass  # by the program itself
    found = tracing.bill()
    assert (found.tokens, found.facts["calls"]) == ([(18, 0)], 2)


def test_calls_count_once_where_a_span_between_them_says_nothing(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with (
        tracer.start_as_current_span("agent", attributes=AGENT),
        tracer.start_as_current_span("chat", attributes=CHAT) as outer,
    ):
        with tracing.tracer("opentelemetry.instrumentation.openai").start_as_current_span("wrapper"):
            chat(tracer)
        outer.set_attributes(usage())
    assert tracing.bill().tokens == [(1000, 100)]


def test_calls_count_once_where_one_between_them_has_no_usage(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with (
        tracer.start_as_current_span("agent", attributes=AGENT),
        tracer.start_as_current_span("chat", attributes=CHAT) as outer,
    ):
        with tracer.start_as_current_span("chat", attributes=CHAT):
            chat(tracer)
        outer.set_attributes(usage())
    bill = tracing.bill()
    assert bill.tokens == [(1000, 100)]
    assert (bill.facts["calls"], "unpriced" in bill.facts) == (1, False)


@pytest.mark.parametrize("failed", [True, False])
@pytest.mark.parametrize("counted", [True, False])
def test_a_call_whose_client_ends_after_it_is_what_the_client_says(
    failed: bool, counted: bool, tracing: Tracing
) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT):
        outer = tracer.start_span("chat", attributes=CHAT)
        inner = tracer.start_span("chat", context=set_span_in_context(outer), attributes=CHAT)
        if failed:
            outer.set_status(Status(StatusCode.ERROR))
        outer.end()
        inner.set_attributes(usage() if counted else {})
        inner.end()
    bill = tracing.bill()
    assert bill.facts["calls"] == 1
    assert bill.tokens == [(1000, 100) if counted else (0, 0)]
    assert ("unpriced" in bill.facts) is not counted


def test_a_call_that_was_counted_is_not_flagged_for_a_client_that_is_still_open(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with tracer.start_as_current_span("agent", attributes=AGENT):
        outer = tracer.start_span("chat", attributes=CHAT | usage())
        inner = tracer.start_span("chat", context=set_span_in_context(outer), attributes=CHAT)
        outer.end()
    inner.set_attributes(usage())
    inner.end()
    bill = tracing.bill()
    assert bill.tokens == [(1000, 100)]
    assert "unpriced" not in bill.facts


def test_an_answer_is_not_made_free_by_the_failure_of_what_asked_for_it(tracing: Tracing) -> None:
    tracer = tracing.tracer()
    with (
        tracer.start_as_current_span("agent", attributes=AGENT),
        tracer.start_as_current_span("chat", attributes=CHAT) as outer,
    ):
        tracer.start_span("chat", attributes=CHAT).end()
        outer.set_status(Status(StatusCode.ERROR))
    assert [call["model"] for call in tracing.bill().facts["unpriced"]] == ["gpt-5-mini"]


def test_an_agent_whose_answer_another_trace_has_reported_is_not_flagged(tracing: Tracing) -> None:
    tracer, answer = tracing.tracer(), {"gen_ai.response.id": "chatcmpl-Bx7dKq2mR9tW4vYz1"}
    for _ in range(2):
        with tracer.start_as_current_span("agent", attributes=AGENT | usage()):
            chat(tracer, **answer)
    bill = tracing.bill()
    assert sorted(bill.tokens) == [(0, 0), (1000, 100)]
    assert all("unpriced" not in entry.metadata["keito"] for entry in bill.time)
