"""The blocking and the awaiting client."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Generic

import httpx
from typing_extensions import Self, Unpack

from keito.core.config import Credentials, base_url_of
from keito.core.drive import Driver
from keito.core.errors import refused
from keito.core.log import log_to_stderr_if_asked
from keito.core.mode import Async, Mode, Sync
from keito.core.options import check_retries, check_timeout
from keito.core.wire import Wire
from keito.resources.clients import Clients
from keito.resources.contacts import Contacts
from keito.resources.expenses import Expenses
from keito.resources.invoices import Invoices
from keito.resources.outcomes import Outcomes
from keito.resources.projects import Projects
from keito.resources.reports import Reports
from keito.resources.tasks import Tasks
from keito.resources.time_entries import TimeEntries
from keito.resources.users import Users

if TYPE_CHECKING:
    from keito.billing.tracking import AsyncWorkBlock, WorkBlock, WorkFields
    from keito.outbox import Delivery


class _Resources(Generic[Mode]):
    """Every resource, in one mode."""

    def __init__(self, mode: Mode) -> None:
        self.time_entries: TimeEntries[Mode] = TimeEntries(mode)
        self.expenses: Expenses[Mode] = Expenses(mode)
        self.projects: Projects[Mode] = Projects(mode)
        self.clients: Clients[Mode] = Clients(mode)
        self.contacts: Contacts[Mode] = Contacts(mode)
        self.tasks: Tasks[Mode] = Tasks(mode)
        self.users: Users[Mode] = Users(mode)
        self.invoices: Invoices[Mode] = Invoices(mode)
        self.reports: Reports[Mode] = Reports(mode)
        self.outcomes: Outcomes[Mode] = Outcomes(mode)


def _wire(api_key: str | None, account_id: str | None, base_url: str | None, timeout: float | None) -> Wire:
    log_to_stderr_if_asked()
    check_timeout(timeout)
    return Wire(base_url_of(base_url), Credentials(api_key, account_id), timeout)


class Keito(_Resources[Sync]):
    """The Keito API, blocking. Thread-safe, usable after a fork, and a context manager that closes itself.

    Args:
        api_key: The key, or a WorkOS token; `KEITO_API_KEY` if not given.
        account_id: The company's id; `KEITO_ACCOUNT_ID` if not given. A WorkOS token needs none.
        base_url: The host, with or without `/api/v2`; `KEITO_BASE_URL`, else `https://app.keito.io`.
        timeout: Seconds for each attempt as a whole, from connecting to the last byte; `None` waits for ever.
        max_retries: How often a failed attempt is repeated where that is safe.
        httpx_client: Send through this client, with its proxies, certificates and hooks; it is not closed.

    Raises:
        KeitoAuthError: A credential is missing or cannot be sent.
        KeitoValidationError: Another argument is not valid.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        account_id: str | None = None,
        base_url: str | None = None,
        timeout: float | None = 60.0,
        max_retries: int = 2,
        httpx_client: httpx.Client | None = None,
    ) -> None:
        check_retries(max_retries)
        if httpx_client is not None and not isinstance(httpx_client, httpx.Client):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refused("httpx_client", httpx_client, "must be an httpx.Client; AsyncKeito takes an AsyncClient")
        self._driver = Driver(_wire(api_key, account_id, base_url, timeout), max_retries, httpx_client)
        self._tracked: Delivery | None = None
        super().__init__(Sync(self._driver))

    def __repr__(self) -> str:
        return f"Keito(base_url={self.base_url!r})"

    @property
    def base_url(self) -> str:
        """The server, without `/api/v2`."""
        return str(self._driver.wire.base_url)

    @property
    def account_id(self) -> str:
        """The account of the API key; empty where a WorkOS token names it."""
        return self._driver.wire.account_id

    def track_agent_work(
        self,
        *,
        project_id: str | None = None,
        task_id: str | None = None,
        agent_id: str | None = None,
        model: str | None = None,
        **fields: Unpack[WorkFields],
    ) -> WorkBlock:
        """Bill a block of code as work of an agent: its time, its outcomes and what its model calls cost.

            with client.track_agent_work(project_id="...", task_id="...", model="gpt-5-mini") as work:
                ...
                work.report_tokens(input=900, output=120)

        Everything is posted when the block is left. The time is measured and no timer runs on Keito, so any
        number of blocks may go on at once. An exception goes on unchanged; the time is then posted as not billable.
        What does not reach Keito is said in the log `keito.billing` and stays in the outbox, from where it is sent
        again.

        Args:
            project_id: The project; `KEITO_PROJECT_ID` if not given.
            task_id: The task; `KEITO_TASK_ID` if not given.
            agent_id: Names the agent in the metadata; `KEITO_AGENT_ID` if not given.
            model: The model of the reported tokens, as its provider names it.
            **fields: The model's `provider`; the run's `name`, `trigger` and `attributes`; and fields of
                `keito.billing.BillingPolicy`, such as `expense_category_id`, or `policy` for a whole one.

        Raises:
            ValueError: The project, the task or another field is missing or wrong; the message says what to set.
        """
        from keito.billing.tracking import tracked  # noqa: PLC0415 - not every program bills

        about = {"project_id": project_id, "task_id": task_id, "agent_id": agent_id, "model": model}
        return tracked(self._work_delivery(), {**fields, **about})

    def _work_delivery(self) -> Delivery:
        """Where tracked work is posted: one for the client, so that it knows what is not delivered yet."""
        if self._tracked is None:
            from keito.billing.tracking import work_delivery  # noqa: PLC0415

            self._tracked = work_delivery(self)
        return self._tracked

    def close(self) -> None:
        """Close the connections. Calls made afterwards raise `KeitoError`.

        Tracked work that is not delivered yet is sent before, within a few seconds.
        """
        if self._tracked is not None:
            self._tracked.close()
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncKeito(_Resources[Async]):
    """The Keito API, awaited; the same methods as `Keito`.

    It sends through aiohttp where the extra `keito[aiohttp]` is installed.

    Args:
        api_key: The key, or a WorkOS token; `KEITO_API_KEY` if not given.
        account_id: The company's id; `KEITO_ACCOUNT_ID` if not given. A WorkOS token needs none.
        base_url: The host, with or without `/api/v2`; `KEITO_BASE_URL`, else `https://app.keito.io`.
        timeout: Seconds for each attempt as a whole, from connecting to the last byte; `None` waits for ever.
        max_retries: How often a failed attempt is repeated where that is safe.
        httpx_client: Send through this client, with its proxies, certificates and hooks; it is not closed.

    Raises:
        KeitoAuthError: A credential is missing or cannot be sent.
        KeitoValidationError: Another argument is not valid.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        account_id: str | None = None,
        base_url: str | None = None,
        timeout: float | None = 60.0,
        max_retries: int = 2,
        httpx_client: httpx.AsyncClient | None = None,
    ) -> None:
        check_retries(max_retries)
        if httpx_client is not None and not isinstance(httpx_client, httpx.AsyncClient):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refused("httpx_client", httpx_client, "must be an httpx.AsyncClient; Keito takes a Client")
        from keito.core.drive_async import AsyncDriver  # noqa: PLC0415 - loads asyncio, which `Keito` does without

        self._sends_through_own = httpx_client is not None
        self._driver = AsyncDriver(_wire(api_key, account_id, base_url, timeout), max_retries, httpx_client)
        self._tracked: Delivery | None = None
        super().__init__(Async(self._driver))

    def __repr__(self) -> str:
        return f"AsyncKeito(base_url={self.base_url!r})"

    @property
    def base_url(self) -> str:
        """The server, without `/api/v2`."""
        return str(self._driver.wire.base_url)

    @property
    def account_id(self) -> str:
        """The account of the API key; empty where a WorkOS token names it."""
        return self._driver.wire.account_id

    def track_agent_work(
        self,
        *,
        project_id: str | None = None,
        task_id: str | None = None,
        agent_id: str | None = None,
        model: str | None = None,
        **fields: Unpack[WorkFields],
    ) -> AsyncWorkBlock:
        """Bill a block of code as work of an agent: its time, its outcomes and what its model calls cost.

            async with client.track_agent_work(project_id="...", task_id="...", model="gpt-5-mini") as work:
                ...
                work.report_tokens(input=900, output=120)

        Everything is posted when the block is left; the event loop does not wait for it. The time is measured and no
        timer runs on Keito, so any number of blocks may go on at once. An exception goes on unchanged; the time is
        then posted as not billable.
        What does not reach Keito is said in the log `keito.billing` and stays in the outbox, from where it is sent
        again; but where the client sends through an httpx client of yours, it is sent again when that is closed.

        Args:
            project_id: The project; `KEITO_PROJECT_ID` if not given.
            task_id: The task; `KEITO_TASK_ID` if not given.
            agent_id: Names the agent in the metadata; `KEITO_AGENT_ID` if not given.
            model: The model of the reported tokens, as its provider names it.
            **fields: The model's `provider`; the run's `name`, `trigger` and `attributes`; and fields of
                `keito.billing.BillingPolicy`, such as `expense_category_id`, or `policy` for a whole one.

        Raises:
            ValueError: The project, the task or another field is missing or wrong; the message says what to set.
        """
        from keito.billing.tracking import tracked_async  # noqa: PLC0415 - not every program bills

        about = {"project_id": project_id, "task_id": task_id, "agent_id": agent_id, "model": model}
        return tracked_async(self._work_delivery(), {**fields, **about})

    def _work_delivery(self) -> Delivery:
        """Where tracked work is posted: one for the client, so that it knows what is not delivered yet."""
        if self._tracked is None:
            from keito.billing.tracking import async_work_delivery  # noqa: PLC0415

            self._tracked = async_work_delivery(self, None if self._sends_through_own else self._blocking)
        return self._tracked

    def _blocking(self) -> Keito:
        """A client of the same account for threads."""
        wire = self._driver.wire
        return Keito(api_key=wire.api_key, account_id=wire.account_id, base_url=self.base_url)

    async def close(self) -> None:
        """Close the connections. Calls made afterwards raise `KeitoError`.

        Tracked work that is not delivered yet is sent before, within a few seconds.
        """
        if self._tracked is not None:
            from anyio.to_thread import run_sync  # noqa: PLC0415

            await run_sync(self._tracked.close)
        await self._driver.close()

    aclose = close

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
