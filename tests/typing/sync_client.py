"""What callers of `Keito` see. Checked by mypy and pyright, never executed."""

from decimal import Decimal
from typing import Any, Optional

from typing_extensions import assert_type

from keito import Keito
from keito.core.page import Page
from keito.core.pager import Pager
from keito.core.raw_response import RawResponse
from keito.types import (
    AgentSummary,
    AgentSummaryGroup,
    ClientModel,
    Expense,
    IdName,
    Invoice,
    InvoiceMessage,
    Project,
    RequestOptions,
    Source,
    Task,
    TeamTimeResult,
    TimeEntry,
    User,
)


def endpoints(client: Keito) -> None:
    assert_type(client.time_entries.create(project_id="p", task_id="t", spent_date="2026-03-05"), TimeEntry)
    assert_type(client.time_entries.update("id", notes=None), TimeEntry)
    assert_type(client.time_entries.stop("id"), TimeEntry)
    assert_type(client.outcomes.log(project_id="p", task_id="t", spent_date="d", outcome_type="x"), TimeEntry)
    assert_type(client.users.me(), User)
    assert_type(client.clients.get("id"), ClientModel)
    assert_type(client.invoices.create(client_id="c"), Invoice)
    assert_type(client.invoices.messages.create("id", recipients=[{"name": "n", "email": "e"}]), InvoiceMessage)
    assert_type(client.invoices.delete("id"), dict[str, Any])
    assert_type(client.expenses.create(project_id="p", expense_category_id="c", spent_date="d", units=1), Expense)


def summaries(client: Keito) -> None:
    summary = client.reports.agent_summary("20260301", "20260331", group_by=["client", "month"])
    assert_type(summary, AgentSummary)
    assert_type(summary.groups[0], AgentSummaryGroup)
    assert_type(summary.combined.total_revenue, Optional[Decimal])
    assert_type(client.reports.agent_summary("20260301", "20260331", group_by="agent"), AgentSummary)
    assert_type(client.reports.with_raw_response.agent_summary("d", "d"), RawResponse[AgentSummary])
    client.reports.agent_summary("d", "d", group_by="colour")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def lists(client: Keito) -> None:
    assert_type(client.time_entries.list(source=[Source.AGENT, "cli"], prefetch=4), Pager[TimeEntry])
    assert_type(next(client.projects.list()), Project)
    for task in client.tasks.list(project_id="p"):
        assert_type(task, Task)
    for result in client.reports.team_time("20260301", "20260331"):
        assert_type(result, TeamTimeResult)
    for page in client.time_entries.list().pages():
        assert_type(page, Page[TimeEntry])
    assert_type(client.time_entries.list().total_entries, Optional[int])


def raw(client: Keito) -> None:
    assert_type(client.users.with_raw_response.me(), RawResponse[User])
    assert_type(client.time_entries.with_raw_response.list(), RawResponse[Page[TimeEntry]])
    assert_type(client.invoices.with_raw_response.messages.list("id"), RawResponse[Page[InvoiceMessage]])
    assert_type(client.users.with_raw_response.me().data.company, Optional[IdName])


def options(client: Keito) -> None:
    chosen: RequestOptions = {"idempotency_key": "k", "timeout": None, "max_retries": 0}
    assert_type(client.users.me(request_options=chosen), User)


def mistakes(client: Keito) -> None:
    client.time_entries.create(project_id="p", task_id="t")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.time_entries.create(project="p", task_id="t", spent_date="d")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.time_entries.update(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.users.me(request_options={"timout": 1.0})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with client as same:
        assert_type(same, Keito)
