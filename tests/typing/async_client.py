"""What callers of `AsyncKeito` see. Checked by mypy and pyright, never executed."""

from collections.abc import Coroutine
from typing import Any

from typing_extensions import assert_type

from keito import AsyncKeito
from keito.core.page import Page
from keito.core.pager_async import AsyncPager
from keito.core.raw_response import RawResponse
from keito.types import AgentSummary, Invoice, Project, TimeEntry, User


async def endpoints(client: AsyncKeito) -> None:
    pending: Coroutine[Any, Any, User] = client.users.me()
    assert_type(await pending, User)
    assert_type(await client.users.me(), User)
    assert_type(await client.time_entries.delete("id"), None)
    assert_type(await client.invoices.get("id"), Invoice)
    assert_type(await client.reports.agent_summary("20260301", "20260331", group_by="project"), AgentSummary)


async def lists(client: AsyncKeito) -> None:
    assert_type(client.time_entries.list(), AsyncPager[TimeEntry])
    async for project in client.projects.list():
        assert_type(project, Project)
    async for page in client.time_entries.list().pages():
        assert_type(page, Page[TimeEntry])


async def raw(client: AsyncKeito) -> None:
    assert_type(await client.users.with_raw_response.me(), RawResponse[User])
    assert_type(await client.time_entries.with_raw_response.list(), RawResponse[Page[TimeEntry]])
    assert_type(await client.reports.with_raw_response.agent_summary("d", "d"), RawResponse[AgentSummary])


async def mistakes(client: AsyncKeito) -> None:
    client.users.me()  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
    for _ in client.projects.list():  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        pass
    async with client as same:
        assert_type(same, AsyncKeito)
