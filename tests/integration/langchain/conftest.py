"""A chat model that counts like a provider, and what a Keito got from it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

import pytest

from keito import Keito
from keito.billing import AgentBilling, BillingPolicy
from keito.sandbox import SandboxServer
from keito.types import Expense, TimeEntry

from ..providers import Stub, served

if TYPE_CHECKING:
    from keito_langchain import KeitoCallbackHandler

USAGE = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}


def counting_model() -> Any:
    """The class of the model. LangChain is imported here: where it is missing, only the tests are skipped."""
    from langchain_core.language_models import BaseChatModel, LangSmithParams
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

    class CountingModel(BaseChatModel):
        """Answers "ok" and reports `usage`, or raises `error`; with `script` it answers those messages one by one."""

        provider: str = "openai"
        requested: str = "gpt-5-mini"
        served: Optional[str] = "gpt-5-mini-2025-08-07"
        usage: Optional[dict[str, Any]] = USAGE
        script: Any = ()
        error: Any = None
        copies: int = 1
        asked: int = 0

        @property
        def _llm_type(self) -> str:
            return "counting"

        @property
        def _identifying_params(self) -> dict[str, Any]:
            return {"served": self.served}  # what langchain's cache goes by

        def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> LangSmithParams:
            return LangSmithParams(ls_provider=self.provider, ls_model_name=self.requested, ls_model_type="chat")

        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            return self

        def _about(self) -> dict[str, Any]:
            return {"model_name": self.served} if self.served else {}

        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
            self.asked += 1
            if self.error is not None:
                raise self.error
            text = self.script[self.asked - 1] if self.script else AIMessage("ok")
            answer = {"usage_metadata": self.usage, "response_metadata": self._about()}
            generations = [ChatGeneration(message=text.model_copy(update=answer)) for _ in range(self.copies)]
            return ChatResult(generations=generations)

        def _parts(self) -> list[AIMessageChunk]:
            if not self.script:
                return [AIMessageChunk(letter) for letter in "ok"]
            text = self.script[self.asked - 1]
            calls: Any = [
                {"name": call["name"], "args": json.dumps(call["args"]), "id": call["id"], "index": index}
                for index, call in enumerate(text.tool_calls)
            ]
            return [AIMessageChunk(text.content), AIMessageChunk("", tool_call_chunks=calls)]

        def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
            self.asked += 1
            for part in self._parts():
                yield ChatGenerationChunk(message=part)
                if self.error is not None:
                    raise self.error
            last = AIMessageChunk("", usage_metadata=self.usage, response_metadata=self._about())
            yield ChatGenerationChunk(message=last)

    return CountingModel


@dataclass
class Bill:
    """What the sandbox has."""

    time: list[TimeEntry]
    outcomes: list[TimeEntry]
    expenses: list[Expense]

    @property
    def tokens(self) -> list[tuple[int, int]]:
        """Tokens in and out of each time entry's run."""
        models = [(entry.metadata or {}).get("model", {}) for entry in self.time]
        return [(model.get("tokens_in", 0), model.get("tokens_out", 0)) for model in models]

    @property
    def cost(self) -> list[str]:
        """What each expense cost, to the last digit."""
        return [(expense.metadata or {})["keito"]["cost_usd"] for expense in self.expenses]

    @property
    def statuses(self) -> list[str]:
        """How the run of each time entry ended."""
        return sorted((entry.metadata or {})["keito"]["status"] for entry in self.time)

    @property
    def facts(self) -> dict[str, Any]:
        """What keito says about the only time entry."""
        (entry,) = self.time
        facts: dict[str, Any] = (entry.metadata or {})["keito"]
        return facts


@pytest.fixture(autouse=True)
def no_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "false")


@pytest.fixture(autouse=True)
def nothing_is_shared() -> None:
    """Equal billings share what is open, and how long it may be silent: also with those of tests not collected yet."""
    table = sys.modules.get("keito_langchain.table")
    if table is not None:
        table._tables.clear()


@pytest.fixture(scope="session")
def model() -> Any:
    return counting_model()


@pytest.fixture
def billing(keito_sandbox: SandboxServer, keito_client: Keito) -> Iterator[AgentBilling]:
    policy = BillingPolicy(keito_sandbox.project_id, keito_sandbox.task_id, keito_sandbox.expense_category_id)
    billing = AgentBilling(policy, keito_client)
    yield billing
    assert billing.guard.count == 0, "an error inside the handler was swallowed"
    billing.close()


@pytest.fixture
def handler(billing: AgentBilling) -> KeitoCallbackHandler:
    from keito_langchain import KeitoCallbackHandler

    return KeitoCallbackHandler(billing)


@pytest.fixture
def config(handler: KeitoCallbackHandler) -> Any:
    return {"callbacks": [handler]}


@pytest.fixture
def stub() -> Iterator[Stub]:
    with served() as stub:
        yield stub


@pytest.fixture
def bill(keito_client: Keito, billing: AgentBilling) -> Any:
    def read() -> Bill:
        assert billing.flush().complete
        entries = list(keito_client.time_entries.list(source="agent"))
        outcomes = [entry for entry in entries if "outcome_type" in (entry.metadata or {})]
        time = [entry for entry in entries if entry not in outcomes]
        return Bill(time, outcomes, list(keito_client.expenses.list(source="agent")))

    return read


@pytest.fixture
def keito_outbox() -> str:
    """Records are posted at once: these tests are about what is billed, and not about how it gets to Keito."""
    return "direct://"
