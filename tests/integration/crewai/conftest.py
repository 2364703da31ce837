"""Real CrewAI with its own OpenAI models against a server on loopback, and what a Keito got from it.

CrewAI writes into the home directory when it is imported, and speaks to several hosts by default. So everything that
leads anywhere is set before the import, and a connection that leaves this machine fails the test that makes it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keito import Keito
from keito.billing import AgentBilling, BillingPolicy
from keito.sandbox import SandboxServer
from keito.types import Expense, TimeEntry

if importlib.util.find_spec("crewai") is None:
    collect_ignore_glob = ["test_*.py"]  # it has a virtual environment of its own: make test-crewai
else:
    HOME = tempfile.TemporaryDirectory(prefix="keito-crewai-", ignore_cleanup_errors=True)
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        os.environ[name] = HOME.name
    for name in ("OTEL_SDK_DISABLED", "CREWAI_DISABLE_TELEMETRY", "CREWAI_DISABLE_TRACKING", "CI"):
        os.environ[name] = "true"
    os.environ.update(
        CREWAI_TRACING_ENABLED="false",
        CREWAI_DISABLE_VERSION_CHECK="true",
        CREWAI_STORAGE_DIR=f"{HOME.name}/storage",  # of a name alone, it makes a folder here
        ANONYMIZED_TELEMETRY="False",
        OPENAI_API_KEY="sk-loopback",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import crewai  # noqa: F401

    from tests.integration.crewai.stub import StubOpenAI, served

_left_machine: list[str] = []
_llms: list[Any] = []
"""All that were made: nobody closes their sockets, so Python warns of them when they are collected."""


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = str(args[1][0])
    elif event == "socket.getaddrinfo":
        host = str(args[0])
    else:
        return
    if host not in {"127.0.0.1", "::1", "localhost", "None"}:
        _left_machine.append(f"{event} {host}")
        raise ConnectionRefusedError(f"tests stay on this machine: {event} {host}")


if importlib.util.find_spec("crewai") is not None:
    sys.addaudithook(_watch)  # for ever; the other tests are none of its business


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """CrewAI warns of its own deprecated fields wherever it reads them."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            for kind in ("DeprecationWarning", "UserWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"))


@dataclass
class Bill:
    """What the sandbox has."""

    time: list[TimeEntry]
    outcomes: list[TimeEntry]
    expenses: list[Expense]

    @property
    def tokens(self) -> list[tuple[int, int]]:
        """Tokens in and out of each time entry's run, the largest first."""
        models = [(entry.metadata or {}).get("model", {}) for entry in self.time]
        return sorted(((model.get("tokens_in", 0), model.get("tokens_out", 0)) for model in models), reverse=True)

    @property
    def facts(self) -> dict[str, Any]:
        """What keito says about the only time entry."""
        (entry,) = self.time
        facts: dict[str, Any] = (entry.metadata or {})["keito"]
        return facts

    @property
    def details(self) -> dict[str, Any]:
        """What the integration says about it."""
        details: dict[str, Any] = self.facts["details"]
        return details


@dataclass
class Kit:
    """Makes crews, agents and tasks that ask the stub."""

    stub: StubOpenAI

    def llm(self, model: str = "gpt-5-mini", **fields: Any) -> Any:
        from crewai import LLM

        _llms.append(LLM(f"openai/{model}", base_url=self.stub.url, api_key="sk-loopback", **fields))
        return _llms[-1]

    def agent(self, llm: Any = None, role: str = "Researcher", **fields: Any) -> Any:
        from crewai import Agent

        return Agent(role=role, goal="answer", backstory="none", llm=llm or self.llm(), **fields)

    def task(self, agent: Any = None, mark: str = "mark", **fields: Any) -> Any:
        from crewai import Task

        return Task(description=f"Answer the question {mark}.", expected_output="an answer", agent=agent, **fields)

    def crew(self, *tasks: Any, **fields: Any) -> Any:
        from crewai import Crew

        tasks = tasks or (self.task(self.agent()),)
        agents = fields.pop("agents", None) or list({id(task.agent): task.agent for task in tasks}.values())
        return Crew(agents=agents, tasks=list(tasks), **fields)


@pytest.fixture(autouse=True)
def on_this_machine() -> Iterator[None]:
    _left_machine.clear()
    yield
    assert not _left_machine


@pytest.fixture(autouse=True)
def nothing_is_swallowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from keito_crewai import listener, lost, session, uninstall

    monkeypatch.setattr(session, "_warned", set())
    lost._rows.clear()
    before = listener.guard.count
    yield
    uninstall()
    assert listener.guard.count == before, "an error inside a handler was swallowed"


@pytest.fixture
def stub() -> Iterator[StubOpenAI]:
    with served() as stub:
        yield stub


@pytest.fixture
def kit(stub: StubOpenAI) -> Kit:
    return Kit(stub)


@pytest.fixture
def policy(keito_sandbox: SandboxServer) -> BillingPolicy:
    return BillingPolicy(keito_sandbox.project_id, keito_sandbox.task_id, keito_sandbox.expense_category_id)


@pytest.fixture
def make_billing(policy: BillingPolicy, keito_client: Keito) -> Iterator[Callable[..., AgentBilling]]:
    made: list[AgentBilling] = []

    def make(policy: BillingPolicy = policy, **fields: Any) -> AgentBilling:
        made.append(AgentBilling(policy, keito_client, **fields))
        return made[-1]

    yield make
    for billing in made:
        assert billing.guard.count == 0, "an error of the billing was swallowed"
        billing.close()


@pytest.fixture
def billing(make_billing: Callable[..., AgentBilling]) -> AgentBilling:
    return make_billing()


@pytest.fixture
def bill(keito_client: Keito, make_billing: Callable[..., AgentBilling]) -> Callable[..., Bill]:
    def read(*billings: AgentBilling, **query: Any) -> Bill:
        for billing in billings:
            assert billing.flush(60).complete
        entries = list(keito_client.time_entries.list(source="agent", **query))
        outcomes = [entry for entry in entries if "outcome_type" in (entry.metadata or {})]
        time = [entry for entry in entries if entry not in outcomes]
        return Bill(time, outcomes, list(keito_client.expenses.list(source="agent", **query)))

    return read


@pytest.fixture
def keito_outbox() -> str:
    """Records are posted at once: these tests are about what is billed, and not about how it gets to Keito."""
    return "direct://"
