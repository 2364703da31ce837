"""Billing of a whole process, and handlers that are copied into other processes."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("genai_prices")

import keito_langchain
from keito_langchain import KeitoCallbackHandler, installing, pickling
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers import context

from keito.billing import AgentBilling


@pytest.fixture(autouse=True)
def uninstalled() -> Iterator[None]:
    installing._listen()  # as where the variable is set when keito_langchain is imported
    yield
    keito_langchain.uninstall()


@pytest.fixture
def environment(sandbox_places: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**sandbox_places, "KEITO_OUTBOX_URL": "memory://"}.items():
        monkeypatch.setenv(name, value)


def test_every_run_of_the_process_is_billed_once(model: Any, billing: AgentBilling, bill: Any) -> None:
    keito_langchain.install(billing)
    chain = RunnableLambda(str) | model()
    chain.invoke("a")
    asyncio.run(chain.ainvoke("b"))
    list(chain.stream("c"))
    thread = threading.Thread(target=chain.invoke, args=("d",))
    thread.start()
    thread.join()
    assert bill().tokens == [(1000, 100)] * 4
    keito_langchain.uninstall()
    chain.invoke("e")
    assert len(bill().time) == 4


def test_a_handler_that_is_given_explicitly_bills_alone(
    model: Any, billing: AgentBilling, config: Any, bill: Any
) -> None:
    installed = keito_langchain.install(AgentBilling(billing.policy, delivery=billing._delivery, notes="installed"))
    (RunnableLambda(str) | model()).invoke("a", config)
    (RunnableLambda(str) | model()).invoke("b", {"callbacks": [installed]})
    found = bill()
    assert len(found.time) == 2
    assert [entry.notes == "installed" for entry in found.time].count(True) == 1


def test_a_second_installation_replaces_the_first(model: Any, billing: AgentBilling, bill: Any) -> None:
    first, second = keito_langchain.install(billing), keito_langchain.install(billing)
    assert first is not second
    model().invoke("hi")
    assert len(bill().time) == 1


def test_installing_again_and_again_leaves_one_hook(billing: AgentBilling) -> None:
    before = len(context._configure_hooks)
    for _ in range(5):
        keito_langchain.install(billing)
    assert len(context._configure_hooks) == before


@pytest.mark.parametrize(("value", "entries"), [("1", 1), ("true", 1), ("0", 0), ("false", 0), ("", 0)])
def test_a_variable_installs_it(
    environment: None, model: Any, bill: Any, monkeypatch: pytest.MonkeyPatch, value: str, entries: int
) -> None:
    monkeypatch.setattr("keito_langchain.installing._switch._tried", None)
    monkeypatch.setenv("KEITO_LANGCHAIN", value)
    model().invoke("hi")
    if installing._switch.handler is not None:
        assert installing._switch.handler.flush().complete
    assert len(bill().time) == entries


def test_a_variable_without_configuration_breaks_no_agent_and_is_said_once(
    model: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("keito_langchain.installing._switch._tried", None)
    monkeypatch.setenv("KEITO_LANGCHAIN", "1")
    with caplog.at_level(logging.ERROR, "keito.billing"):
        for _ in range(3):
            assert model().invoke("hi").content == "ok"
    assert len([line for line in caplog.messages if "KEITO_LANGCHAIN is set, but nothing is billed" in line]) == 1


@pytest.fixture
def slow_installation(environment: None, monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """The variable is set, and its handler takes as long as with all that it imports: begun, until the gate opens."""
    begun, gate = threading.Event(), threading.Event()

    def make() -> KeitoCallbackHandler:
        begun.set()
        assert gate.wait(30)
        return KeitoCallbackHandler()

    monkeypatch.setattr(installing, "KeitoCallbackHandler", make)
    monkeypatch.setattr("keito_langchain.installing._switch._tried", None)
    monkeypatch.setenv("KEITO_LANGCHAIN", "1")
    return begun, gate


def test_runs_that_begin_while_a_variable_installs_it_are_billed_too(
    slow_installation: Any, model: Any, bill: Any
) -> None:
    begun, gate = slow_installation
    first, second = (threading.Thread(target=model().invoke, args=("hi",)) for _ in range(2))
    first.start()
    assert begun.wait(30)
    second.start()
    second.join(0.2)  # it has to wait: without the handler it would be over soon
    gate.set()
    first.join()
    second.join()
    assert installing._switch.handler is not None
    assert installing._switch.handler.flush().complete
    assert bill().tokens == [(1000, 100)] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_process_that_is_forked_while_a_variable_installs_it_does_not_wait_for_ever(
    slow_installation: Any, model: Any
) -> None:
    begun, gate = slow_installation
    thread = threading.Thread(target=model().invoke, args=("hi",))
    thread.start()
    assert begun.wait(30)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if model().invoke("hi").content == "ok" else 1)
    gate.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert installing._switch.handler is not None
    assert installing._switch.handler.flush().complete  # the sandbox is the next test's, too


def test_installing_without_configuration_says_what_to_set() -> None:
    with pytest.raises(ValueError, match="KEITO_PROJECT_ID"):
        keito_langchain.install()


def test_a_pickled_handler_is_the_same_one_in_its_process(handler: KeitoCallbackHandler) -> None:
    assert pickle.loads(pickle.dumps(handler)) is handler


def test_a_pickled_handler_of_the_environment_is_made_anew_elsewhere(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = pickle.dumps(KeitoCallbackHandler(agent_id="bot"))
    assert b"kto_sandbox" not in sent  # no key travels
    pickling._handlers.clear()  # as in another process
    assert pickle.loads(sent).billing.policy.agent_id == "bot"


def test_a_pickled_handler_with_a_billing_of_its_own_is_refused_elsewhere(handler: KeitoCallbackHandler) -> None:
    sent = pickle.dumps(handler)
    pickling._handlers.clear()
    with pytest.raises(pickle.UnpicklingError, match="AgentBilling of another process"):
        pickle.loads(sent)


def test_a_graph_handler_pickles_as_well(handler: KeitoCallbackHandler) -> None:
    pytest.importorskip("langgraph.graph")
    RunnableLambda(str).invoke("hi", {"callbacks": [handler]})
    assert pickle.loads(pickle.dumps(handler)) is handler
