"""The handler that stops a run before the call that its budget forbids."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

from keito_langchain import KeitoBudgetHandler, KeitoCallbackHandler
from langchain_core.runnables import RunnableLambda

from keito.billing import Budget, KeitoBudgetExceeded


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("is_async", [True, False])
def test_it_stops_before_the_call_and_the_run_is_billed(
    model: Any, handler: KeitoCallbackHandler, bill: Any, first: bool, is_async: bool
) -> None:
    limit = KeitoBudgetHandler(handler, Budget(max_calls=2))
    config: Any = {"callbacks": [limit, handler] if first else [handler, limit]}
    asked = model()
    chain = RunnableLambda(lambda text: [asked.invoke(text) for _ in range(5)])
    with pytest.raises(KeitoBudgetExceeded, match="calls 2 of 2"):
        asyncio.run(chain.ainvoke("hi", config)) if is_async else chain.invoke("hi", config)
    assert asked.asked == 2
    found = bill()
    assert (found.tokens, found.statuses, found.facts["flags"]) == ([(2000, 200)], ["failed"], ["budget_exceeded"])
    assert handler.open_runs == 0


def test_it_limits_only_the_runs_that_it_is_given_to(model: Any, handler: KeitoCallbackHandler, bill: Any) -> None:
    asked = model()
    chain = RunnableLambda(lambda text: [asked.invoke(text) for _ in range(3)] and "done")
    limited: Any = {"callbacks": [handler, KeitoBudgetHandler(handler, Budget(max_calls=1))]}
    with pytest.raises(KeitoBudgetExceeded):
        chain.invoke("hi", limited)
    assert chain.invoke("hi", {"callbacks": [handler]}) == "done"
    assert sorted(bill().tokens) == [(1000, 100), (3000, 300)]


def test_money_is_limited_to_the_last_digit(model: Any, handler: KeitoCallbackHandler) -> None:
    asked = model()  # each call costs 0.00045
    chain = RunnableLambda(lambda text: [asked.invoke(text) for _ in range(5)])
    with pytest.raises(KeitoBudgetExceeded, match="cost"):
        chain.invoke("hi", {"callbacks": [handler, KeitoBudgetHandler(handler, Budget(max_cost="0.00136"))]})
    assert asked.asked == 4


def test_a_bare_model_is_stopped_and_leaves_nothing_open(model: Any, handler: KeitoCallbackHandler, bill: Any) -> None:
    limit = KeitoBudgetHandler(handler, Budget(max_calls=0))
    for handlers in ([limit, handler], [handler, limit]):
        with pytest.raises(KeitoBudgetExceeded):
            model().invoke("hi", {"callbacks": handlers})
    assert handler.open_runs == 0
    assert bill().statuses == ["failed", "failed"]


def test_text_models_are_stopped_too(handler: KeitoCallbackHandler) -> None:
    from langchain_core.language_models import FakeListLLM

    config: Any = {"callbacks": [handler, KeitoBudgetHandler(handler, Budget(max_calls=0))]}
    with pytest.raises(KeitoBudgetExceeded):
        FakeListLLM(responses=["a"]).invoke("hi", config)


def test_what_it_is_made_of_is_checked(handler: KeitoCallbackHandler) -> None:
    with pytest.raises(ValueError, match="Budget"):
        KeitoBudgetHandler(handler)
    wrong: Any = 5
    with pytest.raises(TypeError, match="Budget"):
        KeitoBudgetHandler(handler, wrong)
    with pytest.raises(TypeError, match="KeitoCallbackHandler"):
        KeitoBudgetHandler(wrong, Budget(max_calls=1))
