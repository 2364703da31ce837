"""The blocking and the awaiting client."""

from __future__ import annotations

from types import TracebackType
from typing import Generic

import httpx
from typing_extensions import Self

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
        super().__init__(Sync(self._driver))

    def __repr__(self) -> str:
        return f"Keito(base_url={str(self._driver.wire.base_url)!r})"

    def close(self) -> None:
        """Close the connections. Calls made afterwards raise `KeitoError`."""
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

        self._driver = AsyncDriver(_wire(api_key, account_id, base_url, timeout), max_retries, httpx_client)
        super().__init__(Async(self._driver))

    def __repr__(self) -> str:
        return f"AsyncKeito(base_url={str(self._driver.wire.base_url)!r})"

    async def close(self) -> None:
        """Close the connections. Calls made afterwards raise `KeitoError`."""
        await self._driver.close()

    aclose = close

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
