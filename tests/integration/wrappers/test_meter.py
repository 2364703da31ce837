"""What metering leaves as it is."""

import contextlib
import gc
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("openai")

import openai

from keito.billing import AgentBilling, BillingPolicy, Budget, KeitoBudgetExceeded
from keito.metering import AgentRun, NoUsage
from keito.metering.wrappers import guard, meter, pending

from .conftest import CHAT, Stub

ASK: Any = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def client(stub: Stub) -> Iterator[Any]:
    with openai.OpenAI(api_key="k", base_url=f"{stub.url}/v1", max_retries=0) as client:
        yield client


def test_the_client_stays_the_same_object_of_the_same_class(client: Any) -> None:
    before = (repr(type(client)), client.base_url, client.api_key)
    assert meter(client) is client
    assert isinstance(client, openai.OpenAI)
    assert (repr(type(client)), client.base_url, client.api_key) == before


def test_metering_twice_counts_once(client: Any, only: Any) -> None:
    meter(meter(client)).chat.completions.create(**ASK)
    only(CHAT)


def test_other_clients_of_the_class_are_not_metered(client: Any, stub: Stub, run: AgentRun) -> None:
    meter(client)
    with openai.OpenAI(api_key="k", base_url=f"{stub.url}/v1") as other:
        other.chat.completions.create(**ASK)
    assert run.calls == ()


def test_outside_of_any_run_nothing_is_recorded(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "keito.billing"):
        assert meter(client).chat.completions.create(**ASK).id
        assert type(client.chat.completions.create(**ASK, stream=True)) is openai.Stream
    assert [line.levelname for line in caplog.records if line.name == "keito.billing"] == ["DEBUG", "DEBUG"]


@pytest.mark.parametrize("thing", [None, object(), "client", openai, openai.OpenAI, pytest])
def test_anything_else_is_refused(thing: Any) -> None:
    with pytest.raises(TypeError, match="takes a client of openai or anthropic"):
        meter(thing)


def test_a_resource_is_refused(client: Any) -> None:
    with pytest.raises(TypeError, match="takes a client of openai or anthropic"):
        meter(client.chat)


def test_an_error_in_metering_does_not_reach_the_caller(
    client: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("ours")

    failures: set[Any] = set()
    monkeypatch.setattr(guard, "_said", failures)
    monkeypatch.setattr(pending, "quick_call", break_down)
    with AgentRun("broken") as run:
        for _ in range(2):
            assert meter(client).chat.completions.create(**ASK).id
            assert len(list(client.chat.completions.create(**ASK, stream=True))) == 5
    assert run.calls == ()
    assert len([line for line in caplog.messages if "Metering failed in" in line]) == len(failures) == 2
    failures.clear()


def test_an_error_before_the_call_does_not_reach_the_caller(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("ours")

    failures: set[Any] = set()
    monkeypatch.setattr(guard, "_said", failures)
    monkeypatch.setattr("keito.metering.wrappers.client.current_run", break_down)
    assert meter(client).chat.completions.create(**ASK).id
    assert len(failures) == 1
    failures.clear()


def test_a_run_that_has_ended_gets_nothing_more(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    with AgentRun("short") as run:
        stream = meter(client).chat.completions.create(**ASK, stream=True)
    list(stream)
    assert run.calls == ()
    assert "had ended when more arrived" in caplog.text


def test_a_stream_that_is_collected_while_a_run_is_busy_does_not_block_it(client: Any, run: AgentRun) -> None:
    stream = meter(client).chat.completions.create(**ASK, stream=True)
    next(stream)

    def drop() -> None:
        nonlocal stream
        with run._events.lock:  # where the garbage collector may strike
            del stream
            gc.collect()

    thread = threading.Thread(target=drop, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert [call.no_usage for call in run.calls] == [NoUsage.ABORTED]


@pytest.mark.parametrize("stop", [True, False])
def test_only_a_budget_that_is_to_stop_the_agent_does(
    client: Any, keito_sandbox: Any, keito_client: Any, stop: bool
) -> None:
    budget = Budget(max_calls=1, stop=stop)
    policy = BillingPolicy(keito_sandbox.project_id, keito_sandbox.task_id, budget=budget)
    billing = AgentBilling(policy, keito_client)
    with billing.run("spends") as run:
        meter(client).chat.completions.create(**ASK)
        with pytest.raises(KeitoBudgetExceeded) if stop else contextlib.nullcontext():
            client.chat.completions.create(**ASK)
    assert len(run.calls) == (1 if stop else 2)
    billing.close()
