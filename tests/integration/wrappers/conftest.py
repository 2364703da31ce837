"""Clients that are metered, and a server for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from keito.metering import AgentRun, LLMCall, framework_call
from keito.metering.wrappers import guard, pending

from ..providers import CHAT, CHAT_USAGE, EMBEDDINGS, MESSAGE, MESSAGE_USAGE, RESPONSE_USAGE, Stub, served

__all__ = ["CHAT", "CHAT_USAGE", "EMBEDDINGS", "MESSAGE", "MESSAGE_USAGE", "RESPONSE_USAGE", "Stub"]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with served() as stub:
        yield stub


@pytest.fixture(autouse=True)
def nothing_fails(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is said once is said in each test anew; and metering never fails behind the call's back."""
    monkeypatch.setattr(pending, "_hinted", set())
    failures: set[Any] = set()
    monkeypatch.setattr(guard, "_said", failures)
    # Tests of frameworks leave calls that never end in the context that all tests share.
    framework_call._call.set(None)
    yield
    assert not failures


@pytest.fixture
def run() -> Iterator[AgentRun]:
    with AgentRun("test") as run:
        yield run


@pytest.fixture
def only(run: AgentRun) -> Any:
    """The only call of the run, and whether it is of that usage."""

    def read(usage: Any = ..., **expected: Any) -> LLMCall:
        (call,) = run.calls
        assert usage is ... or call.usage == usage
        for name, value in expected.items():
            assert getattr(call, name) == value, name
        return call

    return read


@pytest.fixture
def keito_outbox() -> str:
    """Records are posted at once: these tests are about what is billed, and not about how it gets to Keito."""
    return "direct://"
