"""What a model call is counted as, whatever way it is reported and however it ends."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

from langchain_core.caches import InMemoryCache
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.outputs import Generation, LLMResult
from langchain_core.runnables import RunnableLambda, RunnableParallel

from keito.billing import AgentBilling, Outcome
from keito.metering import log_outcome


def test_an_answer_from_the_response_cache_costs_nothing(model: Any, config: Any, bill: Any) -> None:
    cached = model(cache=InMemoryCache())
    for _ in range(3):
        (RunnableLambda(str) | cached).invoke("hi", config)
    assert cached.asked == 1
    found = bill()
    assert sorted(found.tokens) == [(0, 0), (0, 0), (1000, 100)]
    assert len(found.expenses) == 1
    assert sorted(entry.metadata["keito"].get("cached_calls", 0) for entry in found.time) == [0, 1, 1]


def test_two_generations_of_one_call_are_counted_once(model: Any, config: Any, bill: Any) -> None:
    model(copies=2).invoke("hi", config)
    assert bill().tokens == [(1000, 100)]


def test_a_model_that_reports_nothing_is_unknown_and_not_free(
    model: Any, config: Any, bill: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        list(model(usage=None).stream("hi", config))
    found = bill()
    assert found.expenses == []
    for entry in found.time:
        assert entry.metadata["keito"]["flags"] == ["unpriced"]
        assert entry.metadata["keito"]["unpriced"] == [
            {"model": "gpt-5-mini-2025-08-07", "reason": "not reported", "calls": 1}
        ]
    assert len([line for line in caplog.messages if "stream_usage=True" in line]) == 1


def test_the_requested_model_stands_in_for_a_served_one_that_is_not_named(model: Any, config: Any, bill: Any) -> None:
    model(served=None).invoke("hi", config)
    found = bill()
    assert found.time[0].metadata["model"]["name"] == "gpt-5-mini"
    assert found.expenses[0].total_cost == pytest.approx(0.00045)


def test_a_call_that_failed_costs_nothing(model: Any, billing: AgentBilling, config: Any, bill: Any) -> None:
    def resolve(text: str) -> str:
        log_outcome(Outcome("ticket_resolved", 0.99))
        return text

    error = ValueError("down")
    with pytest.raises(ValueError, match="down") as caught:
        (RunnableLambda(resolve) | model() | RunnableLambda(str) | model(error=error)).invoke("hi", config)
    assert caught.value is error
    found = bill()
    assert found.outcomes == []
    assert found.time[0].billable is False
    assert (found.facts["status"], found.facts["failed_calls"]) == ("failed", 1)
    assert found.facts["flags"] == ["outcomes_not_billed"]
    assert [expense.total_cost for expense in found.expenses] == [pytest.approx(0.00045)]


def test_a_stream_that_breaks_has_an_unknown_cost(model: Any, config: Any, bill: Any) -> None:
    with pytest.raises(ValueError, match="broken"):
        list(model(error=ValueError("broken")).stream("hi", config))
    assert bill().facts["unpriced"][0]["reason"] == "stopped before usage arrived"


def test_a_stream_that_nobody_reads_on_is_cancelled(model: Any, config: Any, bill: Any) -> None:
    stream = model().stream("hi", config)
    next(stream)
    stream.close()
    found = bill()
    assert found.facts["status"] == "cancelled"
    assert found.facts["unpriced"][0]["reason"] == "stopped before usage arrived"


def test_a_timeout_of_the_provider_has_an_unknown_cost(model: Any, config: Any, bill: Any) -> None:
    with pytest.raises(TimeoutError):
        model(error=TimeoutError()).invoke("hi", config)
    assert bill().facts["unpriced"][0]["reason"] == "stopped before usage arrived"


def test_a_call_that_never_ends_is_listed_when_its_run_does(
    model: Any, billing: AgentBilling, config: Any, bill: Any
) -> None:
    class Endless(model):  # type: ignore[misc]
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            started.set()
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task((RunnableLambda(str) | Endless()).ainvoke("hi", config))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    started = asyncio.Event()
    asyncio.run(main())
    found = bill()
    assert found.facts["status"] == "cancelled"
    assert found.facts["unpriced"] == [{"model": "gpt-5-mini", "reason": "did not end before its run", "calls": 1}]


def test_a_call_that_ends_after_its_run_is_listed(
    model: Any, config: Any, bill: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Slow(model):  # type: ignore[misc]
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            asked.set()
            await failed.wait()
            return self._generate([])

    async def fail(text: str) -> str:
        await asked.wait()
        raise ValueError("branch")

    async def main() -> None:
        with pytest.raises(ValueError, match="branch"):
            await RunnableParallel(slow=Slow(), bad=RunnableLambda(fail)).ainvoke("hi", config)
        failed.set()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others)

    asked, failed = asyncio.Event(), asyncio.Event()
    asyncio.run(main())
    assert bill().facts["unpriced"][0]["reason"] == "did not end before its run"


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"input_token_details": {"cache_read": 400}}, 600 * 0.25e-6 + 400 * 0.025e-6 + 100 * 2e-6),
        ({"output_token_details": {"reasoning": 60}}, 1000 * 0.25e-6 + 100 * 2e-6),
        (
            {
                "input_token_details": {"flex_cache_read": 400, "flex": 600},
                "output_token_details": {"flex_reasoning": 10, "flex": 90},
            },
            600 * 0.125e-6 + 400 * 0.0125e-6 + 100 * 1e-6,
        ),
    ],
)
def test_details_are_parts_and_not_additions(
    model: Any, config: Any, bill: Any, usage: "dict[str, Any]", cost: float
) -> None:
    counts = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
    model(usage={**counts, **usage}).invoke("hi", config)
    found = bill()
    assert found.tokens == [(1000, 100)]
    assert found.expenses[0].total_cost == pytest.approx(cost, abs=6e-7)


def test_the_users_message_is_not_changed(model: Any, config: Any) -> None:
    answer = model(usage={"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}).invoke("hi", config)
    assert answer.usage_metadata == {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}


def test_a_provider_that_langchain_made_up_from_the_class_is_not_believed(model: Any, config: Any, bill: Any) -> None:
    class Wrapper(model):  # type: ignore[misc]
        def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
            return BaseChatModel._get_ls_params(self, stop=stop, **kwargs)

        def _about(self) -> "dict[str, Any]":
            return {"model_name": "gpt-5-mini", "model_provider": "openai"}

    Wrapper().invoke("hi", config)
    found = bill()
    assert found.time[0].metadata["model"]["provider"] == "openai"
    assert len(found.expenses) == 1


def test_a_text_model_reports_all_prompts_with_the_first(config: Any, bill: Any) -> None:
    class TextModel(BaseLLM):
        @property
        def _llm_type(self) -> str:
            return "text"

        def _generate(self, prompts: "list[str]", *args: Any, **kwargs: Any) -> LLMResult:
            usage = {"prompt_tokens": 30, "completion_tokens": 9}
            output = {"token_usage": usage, "model_name": "gpt-3.5-turbo-instruct"}
            return LLMResult(generations=[[Generation(text="ok")] for _ in prompts], llm_output=output)

    TextModel().generate(["a", "b", "c"], callbacks=config["callbacks"])
    found = bill()
    assert sorted(found.tokens) == [(0, 0), (0, 0), (30, 9)]
    assert [entry.metadata["keito"].get("flags") for entry in found.time] == [None, None, None]
    assert len(found.expenses) == 1
