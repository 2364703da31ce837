"""Embeddings that are billed. LangChain reports nothing of them to its handlers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timezone
from typing import Any, Optional

from langchain_core.embeddings import Embeddings
from typing_extensions import Unpack

from keito.billing import AgentBilling
from keito.billing.given import billing_of
from keito.billing.policy import PolicyFields
from keito.metering import AgentRun, LLMCall, NoUsage, RunStatus, current_run
from keito.metering.current import enter_run, leave_run
from keito.outbox import FlushReport

_CLIENTS = ("client", "async_client")
_MODELS = ("model", "model_name", "model_id")


class BilledEmbeddings(Embeddings):
    """Embeddings whose calls are recorded into the run around them; outside of any run, each is a run by itself.

        embeddings = BilledEmbeddings(OpenAIEmbeddings())
        store = InMemoryVectorStore(embeddings)

    Tokens are those that the provider counts. They are known for embeddings that call through a client of `openai`,
    such as those of `langchain-openai`; of others the call is recorded without tokens, and flagged as unpriced.

    Args:
        embeddings: Does the work. Its `openai` clients are metered, wherever else they are used.
        billing: Bills calls outside of any run; by default one that the environment and `policy_fields` describe.
        **policy_fields: Fields of `BillingPolicy`, such as `project_id`.

    Raises:
        ValueError: The policy is incomplete or wrong; the message says what to set.
        KeitoAuthError: There are no credentials.
        TypeError: Both a billing and policy fields are given.
    """

    def __init__(
        self, embeddings: Embeddings, billing: Optional[AgentBilling] = None, **policy_fields: Unpack[PolicyFields]
    ) -> None:
        self.billing = billing_of(billing, policy_fields)
        self._embeddings = embeddings
        clients = [client for name in _CLIENTS if (client := getattr(embeddings, name, None)) is not None]
        self._is_metered = [_metered(client) for client in clients].count(True) == len(clients) > 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts."""
        with self._recorded():
            return self._embeddings.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        """Embed the text of a query."""
        with self._recorded():
            return self._embeddings.embed_query(text)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts."""
        with self._recorded():
            return await self._embeddings.aembed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        """Embed the text of a query."""
        with self._recorded():
            return await self._embeddings.aembed_query(text)

    def flush(self, timeout: float = 10.0) -> FlushReport:
        """Send what is not delivered yet, within `timeout` seconds, and say where everything stands."""
        return self.billing.send(timeout)

    @contextmanager
    def _recorded(self) -> Generator[None, None, None]:
        run = current_run()
        with nullcontext(run) if run is not None else self._own_run() as run, self._counted(run):
            yield

    @contextmanager
    def _own_run(self) -> Generator[AgentRun, None, None]:
        """A run that never raises; a block of `billing.run` is for those who bill by hand."""
        run, failed = self.billing.start(name="Embeddings"), None
        outer = enter_run(run)
        try:
            yield run
        except BaseException as error:
            failed = error
            raise
        finally:
            leave_run(run, outer)
            self.billing.finish(run, RunStatus.after(failed))

    @contextmanager
    def _counted(self, run: AgentRun) -> Generator[None, None, None]:
        if self._is_metered:
            yield
            return
        start, failed = datetime.now(timezone.utc), None
        try:
            yield
        except BaseException as error:
            failed = error
            raise
        finally:
            run.record(self._call(start, failed))

    def _call(self, start: datetime, error: Optional[BaseException]) -> LLMCall:
        names = (getattr(self._embeddings, name, None) for name in _MODELS)
        model = next((name for name in names if isinstance(name, str)), type(self._embeddings).__name__)
        return LLMCall(
            started_at=start,
            ended_at=datetime.now(timezone.utc),
            requested_model=model,
            no_usage=NoUsage.after(error),
            error=None if error is None else type(error).__name__,
            operation="embeddings",
        )


def _metered(resource: Any) -> bool:
    """Meter the `openai` client behind `client.embeddings`, as which langchain-openai keeps it."""
    # Loaded here: it takes 20 modules, which a program without embeddings need not load.
    from keito.metering.wrappers import meter  # noqa: PLC0415

    try:
        meter(getattr(resource, "_client", None))
    except TypeError:
        return False
    return True
