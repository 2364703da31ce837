"""Spans as frameworks emit them, and what a Keito got from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

import pytest

from keito import Keito
from keito.billing import AgentBilling, BillingPolicy
from keito.sandbox import SandboxServer
from keito.types import Expense, TimeEntry

AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5-mini"}


def usage(taken: int = 1000, made: int = 100, **more: Any) -> dict[str, Any]:
    return {"gen_ai.usage.input_tokens": taken, "gen_ai.usage.output_tokens": made, **more}


@dataclass
class Bill:
    """What the sandbox has."""

    time: list[TimeEntry]
    outcomes: list[TimeEntry]
    expenses: list[Expense]

    @property
    def tokens(self) -> list[tuple[int, int]]:
        """Tokens in and out of each time entry's run, in the order of their notes."""
        models = [entry.metadata.get("model", {}) for entry in sorted(self.time, key=lambda entry: str(entry.notes))]
        return [(model.get("tokens_in", 0), model.get("tokens_out", 0)) for model in models]

    @property
    def facts(self) -> dict[str, Any]:
        """What keito says about the only time entry."""
        (entry,) = self.time
        facts: dict[str, Any] = entry.metadata["keito"]
        return facts


@dataclass
class Tracing:
    """A tracer provider that bills, and what it came to."""

    provider: Any
    processor: Any
    client: Keito

    def tracer(self, scope: str = "acme.agents") -> Any:
        return self.provider.get_tracer(scope)

    def bill(self) -> Bill:
        assert self.processor.flush().complete
        entries = [entry for entry in self.client.time_entries.list() if entry.source == "agent"]
        outcomes = [entry for entry in entries if "outcome_type" in entry.metadata]
        time = [entry for entry in entries if entry not in outcomes]
        return Bill(time, outcomes, list(self.client.expenses.list(source="agent")))


@pytest.fixture(autouse=True)
def no_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "false")


@pytest.fixture
def billing(keito_sandbox: SandboxServer, keito_client: Keito) -> Iterator[AgentBilling]:
    policy = BillingPolicy(keito_sandbox.project_id, keito_sandbox.task_id, keito_sandbox.expense_category_id)
    billing = AgentBilling(policy, keito_client)
    yield billing
    assert billing.guard.count == 0, "an error inside the processor was swallowed"
    billing.close()


@pytest.fixture
def traced(keito_client: Keito, billing: AgentBilling) -> Iterator[Any]:
    """Makes a tracer provider whose processor takes the fixture's billing."""
    pytest.importorskip("opentelemetry.sdk")
    from keito_otel import KeitoSpanProcessor
    from opentelemetry.sdk.trace import TracerProvider

    made: list[Any] = []

    def make(billing: Optional[AgentBilling] = billing, sampler: Any = None, **options: Any) -> Tracing:
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        processor = KeitoSpanProcessor(billing, **options)
        provider.add_span_processor(processor)
        made.append(provider)
        return Tracing(provider, processor, keito_client)

    yield make
    for provider in made:
        provider.shutdown()


@pytest.fixture
def tracing(traced: Any) -> Tracing:
    tracing: Tracing = traced()
    return tracing


@pytest.fixture
def keito_outbox() -> str:
    """Records are posted at once: these tests are about what is billed, and not about how it gets to Keito."""
    return "direct://"
