"""`client.track_agent_work(...)`: work of an agent that is billed through a client."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, Union, cast
from weakref import WeakKeyDictionary

from typing_extensions import TypedDict

from keito.billing.account import Meters
from keito.billing.agent_billing import AgentBilling
from keito.billing.block import RunBlock
from keito.billing.budget import Budget
from keito.billing.delivering import delivery_for
from keito.billing.policy import BillingPolicy, OutcomeOf
from keito.metering import AgentRun, Outcome
from keito.outbox import Delivery, DirectDelivery, FlushReport
from keito.outbox.destination import destination_of
from keito.outbox.stores.open_store import default_url
from keito.pricing import ExchangeRate, PriceTable

if TYPE_CHECKING:
    from keito.client import AsyncKeito, Keito


class WorkFields(TypedDict, total=False):
    """What `track_agent_work` takes beside the ids and the model."""

    provider: Optional[str]
    name: Optional[str]
    trigger: Optional[str]
    attributes: Optional[Mapping[str, Any]]
    policy: Optional[BillingPolicy]
    expense_category_id: Optional[str]
    session_id: Optional[str]
    user_id: Optional[str]
    billable: Optional[bool]
    timezone: Optional[str]
    outcome: Union[Outcome, OutcomeOf, None]
    notes: Optional[str]
    rounding: str
    markup: Union[Decimal, int, str]
    exchange_rate: Optional[ExchangeRate]
    prices: Optional[PriceTable]
    budget: Union[Budget, Sequence[Budget], None]


class AgentWork:
    """Work of an agent that goes on. Everything in it may be called from any thread.

    Attributes:
        run: What is recorded, for everything that has no method here.
    """

    def __init__(self, billing: AgentBilling, run: AgentRun, model: Optional[str], provider: Optional[str]) -> None:
        self.run = run
        self._billing = billing
        self._model = model
        self._provider = provider

    def report_tokens(
        self,
        input: Optional[int] = None,
        output: Optional[int] = None,
        *,
        cache_read: int = 0,
        cache_write: int = 0,
        reasoning: int = 0,
        model: Optional[str] = None,
        provider: Optional[str] = None,
        response_id: Optional[str] = None,
    ) -> bool:
        """Report the tokens of one model call. Call it once for each: prices go by single calls.

        Args:
            input: All input, cache reads and writes included.
            output: All output, reasoning included.
            cache_read: Part of the input that was read from the provider's prompt cache.
            cache_write: Part of the input that was written to it.
            reasoning: Part of the output that the user does not see.
            model: The model, if it is another than that of the work.
            provider: Who served it, likewise.
            response_id: The provider's id of the answer: a second report of it is ignored.

        Returns:
            Whether it counts: not after the end of the work, nor a second time.
        """
        return self.run.record_llm_call(
            provider=provider or self._provider,
            model=model or self._model,
            input_tokens=input,
            output_tokens=output,
            cache_read_tokens=cache_read,
            cache_write_tokens=cache_write,
            reasoning_tokens=reasoning,
            response_id=response_id,
        )

    def set_notes(self, notes: str) -> None:
        """Set the text of the time entry."""
        self.run.set_notes(notes)

    def log_outcome(self, outcome: Outcome) -> bool:
        """Add an outcome, to be billed when the work completes; answers whether it still counts."""
        return self.run.log_outcome(outcome)

    def flush(self, timeout: float = 10.0) -> FlushReport:
        """Send what the client has not delivered yet of any tracked work; for programs without an event loop."""
        return self._billing.flush(timeout)


class WorkBlock:
    """`with client.track_agent_work(...)`. The time, outcomes and cost are posted when the block is left."""

    def __init__(
        self, billing: AgentBilling, fields: Mapping[str, Any], model: Optional[str], provider: Optional[str]
    ) -> None:
        self._billing = billing
        self._block = RunBlock(billing, fields)
        self._about = (model, provider)

    def __enter__(self) -> AgentWork:
        return AgentWork(self._billing, self._block.__enter__(), *self._about)

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._block.__exit__(kind, error, trace)


class AsyncWorkBlock:
    """`async with client.track_agent_work(...)`. The event loop does not wait for the posts."""

    def __init__(
        self, billing: AgentBilling, fields: Mapping[str, Any], model: Optional[str], provider: Optional[str]
    ) -> None:
        self._billing = billing
        self._block = RunBlock(billing, fields)
        self._about = (model, provider)

    async def __aenter__(self) -> AgentWork:
        return AgentWork(self._billing, self._block.__enter__(), *self._about)

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self._block.__aexit__(kind, error, trace)


_meters: WeakKeyDictionary[Delivery, Meters] = WeakKeyDictionary()
"""What was spent of the budgets of a client's tracked work."""


def tracked(delivery: Delivery, fields: Mapping[str, Any]) -> WorkBlock:
    """The block of `Keito.track_agent_work`."""
    return WorkBlock(*_prepared(delivery, fields))


def tracked_async(delivery: Delivery, fields: Mapping[str, Any]) -> AsyncWorkBlock:
    """The block of `AsyncKeito.track_agent_work`."""
    return AsyncWorkBlock(*_prepared(delivery, fields))


def _prepared(
    delivery: Delivery, fields: Mapping[str, Any]
) -> tuple[AgentBilling, Mapping[str, Any], Optional[str], Optional[str]]:
    """A billing of its own for each work, whose undelivered records stay with the client; and the run's fields."""
    of_run = {name: fields.get(name) for name in ("name", "trigger", "attributes")}
    of_work = {*of_run, "model", "provider", "policy"}
    of_policy: dict[str, Any] = {name: value for name, value in fields.items() if name not in of_work}
    ids = ("project_id", "task_id", "agent_id")
    given: dict[str, Any] = {name: value for name, value in of_policy.items() if name not in ids or value is not None}
    given["rollup"] = None  # one work is one run, and nobody would wait for the end of the hour
    # Nothing comes late: a block has reported when it is left, and posts what it has then.
    billing = AgentBilling(fields.get("policy"), delivery=delivery, late_grace=0, **given)
    billing.meters = _meters.setdefault(delivery, billing.meters)  # days and projects go on from work to work
    return billing, of_run, fields.get("model"), fields.get("provider")


def work_delivery(client: Keito) -> Delivery:
    """How tracked work gets to Keito: it is there when the block is left, and the outbox is the net under it."""
    return delivery_for(client, deliver="on_exit_of_run")


def async_work_delivery(client: AsyncKeito, blocking: Optional[Callable[[], Keito]]) -> Delivery:
    """The same for an awaited client.

    Args:
        client: The client.
        blocking: Makes a client of the same account that threads can use; `None` where only `client` itself knows the
            way to Keito. Then there is no outbox: worker threads post through the event loop that they were started by.
    """
    url = default_url()
    is_direct = url.lower().startswith("direct:")
    if blocking is None or is_direct:
        return DirectDelivery(cast("Keito", _FromThread(client)), raises=is_direct)
    from keito.outbox.durable import OutboxDelivery  # noqa: PLC0415 - brings a relay along

    return OutboxDelivery(url, blocking, destination=destination_of(client), mode="on_exit_of_run")


class _FromThread:
    """The two resources of an awaited client that a delivery posts to, for a thread that blocks."""

    def __init__(self, client: AsyncKeito) -> None:
        self.base_url, self.account_id = client.base_url, client.account_id
        self.time_entries = _Creates(client.time_entries.create)
        self.expenses = _Creates(client.expenses.create)


class _Creates:
    def __init__(self, create: Callable[..., Awaitable[object]]) -> None:
        self._create = create

    def create(self, **fields: Any) -> object:
        from anyio.from_thread import run  # noqa: PLC0415 - a program without async code does without

        async def post() -> object:
            return await self._create(**fields)

        return run(post)
