"""Each example that users were given, with its names and values, against a Keito that has those records."""

from datetime import date
from typing import Any

import pytest

from keito import (
    AgentMetadata,
    AsyncKeito,
    Keito,
    KeitoApiError,
    KeitoAuthError,
    KeitoConflictError,
    KeitoConnectionError,
    KeitoForbiddenError,
    KeitoNotFoundError,
    KeitoRateLimitError,
    KeitoServerError,
    KeitoTimeoutError,
    KeitoValidationError,
    OutcomeTypes,
)
from keito.types import (
    ApprovalStatus,
    ClientCreate,
    ClientModel,
    Contact,
    ContactCreate,
    Expense,
    ExpenseCreate,
    IdName,
    Invoice,
    InvoiceCreate,
    InvoiceMessage,
    InvoiceMessageCreate,
    InvoiceState,
    InvoiceUpdate,
    LineItem,
    PaymentTerm,
    Project,
    Source,
    Task,
    TeamTimeResult,
    TimeEntry,
    TimeEntryCreate,
    TimeEntryUpdate,
    User,
    UserType,
)


@pytest.fixture(autouse=True)
def promised_workspace(keito_sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    account = {"account_id": "acc_..."}
    work = {"project_id": "proj_123", "task_id": "task_456", "spent_date": "2026-03-05", **account}
    keito_sandbox.seed(
        companies=[{"id": "acc_..."}],
        clients=[{"id": "cli_789", **account}],
        tasks=[{"id": "task_456", **account}, {"id": "task_tickets", "name": "Tickets", **account}],
        categories=[{"id": "cat_llm_api", **account}, {"id": "cat_llm", **account}],
        projects=[
            {"id": "proj_123", "client_id": "cli_789", **account},
            {"id": "proj_support", "name": "Support", "client_id": "cli_789", "hourly_rate": 90, **account},
        ],
        users=[
            {
                "id": "usr_promised",
                "email": "agent@yourcompany.com",
                "role": "administrator",
                "user_type": "agent",
                "keys": [{"key": "kto_..."}, {"key": "kto_agent_..."}],
                **account,
            }
        ],
        entries=[
            {"id": "entry_locked", "user_id": "usr_promised", "hours": 2, "notes": "kept", "is_closed": True, **work}
        ],
    )
    monkeypatch.setenv("KEITO_BASE_URL", keito_sandbox.url)
    monkeypatch.setenv("KEITO_API_KEY", "kto_agent_...")
    monkeypatch.setenv("KEITO_ACCOUNT_ID", "acc_...")


@pytest.fixture
def client() -> Any:
    with Keito() as client:
        yield client


def test_credentials_from_the_environment_or_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Keito() as client:
        assert client.users.me().id == "usr_promised"
    for name in ("KEITO_API_KEY", "KEITO_ACCOUNT_ID"):
        monkeypatch.delenv(name)
    client = Keito(api_key="kto_...", account_id="acc_...")
    entry = client.time_entries.create(
        project_id="proj_123",
        task_id="task_456",
        spent_date="2026-03-05",
        hours=1.5,
        notes="Code review for PR #842",
    )
    for entry in client.time_entries.list(project_id="proj_123"):
        print(f"{entry.spent_date}: {entry.hours}h — {entry.notes}")
    assert capsys.readouterr().out.splitlines() == [
        "2026-03-05: 1.5h — Code review for PR #842",
        "2026-03-05: 2.0h — kept",
    ]
    client.close()


@pytest.mark.anyio
async def test_async_client() -> None:
    async with AsyncKeito() as client:
        entry = await client.time_entries.create(
            project_id="proj_123",
            task_id="task_456",
            spent_date="2026-03-05",
            hours=2.0,
        )
        found = []
        async for each in client.time_entries.list():
            found.append(each.id)  # noqa: PERF401
    assert found == [entry.id, "entry_locked"]


def test_identity(client: Keito) -> None:
    me = client.users.me()
    assert str(me.user_type) == "UserType.AGENT"
    assert me.user_type is UserType.AGENT
    assert me.email == "agent@yourcompany.com"


def test_agent_entry_with_metadata(client: Keito) -> None:
    entry = client.time_entries.create(
        project_id="proj_123",
        task_id="task_456",
        spent_date="2026-03-05",
        hours=1.5,
        notes="Automated code review for PR #842",
        source=Source.AGENT,
        billable=True,
        metadata=AgentMetadata.build(
            agent_id="code-reviewer-v2",
            framework="langchain",
            model_provider="anthropic",
            model_name="claude-4-sonnet",
            tokens_in=12500,
            tokens_out=32700,
            cost_usd=0.18,
            run_id="run_abc123",
            confidence=0.94,
        ),
    )
    assert entry.source is Source.AGENT
    assert entry.metadata == {
        "agent": {"id": "code-reviewer-v2", "framework": "langchain"},
        "run": {"id": "run_abc123"},
        "model": {
            "provider": "anthropic",
            "name": "claude-4-sonnet",
            "tokens_in": 12500,
            "tokens_out": 32700,
            "cost_usd": 0.18,
        },
        "quality": {"confidence": 0.94},
    }


def test_agent_metadata() -> None:
    metadata = AgentMetadata.build(
        agent_id="support-agent-v3",
        framework="crewai",
        model_provider="anthropic",
        model_name="claude-4-sonnet",
        tokens_in=8000,
        tokens_out=15000,
        cost_usd=0.12,
        run_id="run_xyz",
        parent_run_id="run_parent",
        trigger="webhook",
        confidence=0.97,
        human_reviewed=False,
    )
    assert metadata == {
        "agent": {"id": "support-agent-v3", "framework": "crewai"},
        "run": {"id": "run_xyz", "parent_id": "run_parent", "trigger": "webhook"},
        "model": {
            "provider": "anthropic",
            "name": "claude-4-sonnet",
            "tokens_in": 8000,
            "tokens_out": 15000,
            "cost_usd": 0.12,
        },
        "quality": {"confidence": 0.97, "human_reviewed": False},
    }
    assert AgentMetadata.build() == {}


def test_outcome(client: Keito) -> None:
    outcome = client.outcomes.log(
        project_id="proj_123",
        task_id="task_456",
        spent_date="2026-03-05",
        outcome_type=OutcomeTypes.TICKET_RESOLVED,
        description="Resolved billing inquiry #4821",
        unit_price=0.99,
        quantity=1,
        success=True,
        evidence={"ticket_id": "TKT-4821", "resolution_time_seconds": 45},
    )
    assert isinstance(outcome, TimeEntry)
    assert (outcome.hours, outcome.source, outcome.billable) == (0, "agent", True)
    assert outcome.notes == "Resolved billing inquiry #4821"
    assert outcome.metadata == {
        "outcome_type": "ticket_resolved",
        "outcome_unit_price": 0.99,
        "outcome_quantity": 1,
        "outcome_success": True,
        "outcome_evidence": {"ticket_id": "TKT-4821", "resolution_time_seconds": 45},
    }


def test_outcome_types() -> None:
    assert {kind.name: kind.value for kind in OutcomeTypes} == {
        name.upper(): name
        for name in (
            "ticket_resolved",
            "lead_qualified",
            "code_review_completed",
            "pr_merged",
            "deployment_completed",
            "test_suite_passed",
            "document_generated",
            "data_pipeline_run",
            "alert_triaged",
            "customer_reply_sent",
            "meeting_booked",
            "data_processed",
            "email_sent",
            "invoice_created",
            "workflow_completed",
            "custom",
        )
    }


def test_llm_expense(client: Keito) -> None:
    expense = client.expenses.create(
        project_id="proj_123",
        expense_category_id="cat_llm_api",
        spent_date="2026-03-05",
        total_cost=0.18,
        notes="Claude 4 Sonnet — PR review (12.5k in, 32.7k out)",
        billable=True,
        source=Source.AGENT,
        metadata={
            "model": "claude-4-sonnet",
            "tokens_in": 12500,
            "tokens_out": 32700,
            "provider": "anthropic",
        },
    )
    assert isinstance(expense, Expense)
    assert (expense.total_cost, expense.source) == (0.18, Source.AGENT)
    assert expense.metadata is not None
    assert expense.metadata["tokens_out"] == 32700


def test_invoice_and_its_message(client: Keito) -> None:
    invoice = client.invoices.create(
        client_id="cli_789",
        subject="March 2026 — AI Agent Services",
        period_start="2026-03-01",
        period_end="2026-03-31",
        line_items=[
            {
                "kind": "Service",
                "description": "AI Code Review (42 hours x $150/hr)",
                "quantity": 42,
                "unit_price": 150.00,
            },
            {
                "kind": "Service",
                "description": "312 tickets resolved x $0.99",
                "quantity": 312,
                "unit_price": 0.99,
            },
        ],
    )
    assert invoice.amount == 6608.88
    message = client.invoices.messages.create(
        invoice.id,
        recipients=[{"name": "Client CFO", "email": "cfo@client.com"}],
        subject=f"Invoice #{invoice.number}",
        attach_pdf=True,
    )
    assert isinstance(message, InvoiceMessage)
    assert message.subject == f"Invoice #{invoice.number}"
    assert client.invoices.get(invoice.id).state is InvoiceState.OPEN


def test_billing_loop(client: Keito, capsys: pytest.CaptureFixture[str]) -> None:
    project_id, task_id, today = "proj_support", "task_tickets", "2026-03-05"
    client.time_entries.create(
        project_id=project_id,
        task_id=task_id,
        spent_date=today,
        hours=0.5,
        notes="Support ticket triage batch — 15 tickets processed",
        source=Source.AGENT,
        metadata=AgentMetadata.build(
            agent_id="support-triage-v2",
            model_provider="anthropic",
            model_name="claude-4-sonnet",
            run_id="run_batch_042",
        ),
    )
    for ticket_id in ["TKT-101", "TKT-102", "TKT-103"]:
        client.outcomes.log(
            project_id=project_id,
            task_id=task_id,
            spent_date=today,
            outcome_type=OutcomeTypes.TICKET_RESOLVED,
            description=f"Resolved {ticket_id}",
            unit_price=0.99,
            success=True,
            evidence={"ticket_id": ticket_id},
        )
    client.expenses.create(
        project_id=project_id,
        expense_category_id="cat_llm",
        spent_date=today,
        total_cost=0.42,
        notes="Anthropic API cost for ticket triage batch",
        source=Source.AGENT,
        billable=True,
    )
    for e in client.time_entries.list(source=Source.AGENT, from_date=today, to_date=today):
        print(f"  {e.hours}h — {e.notes}")
    for project in client.projects.list(is_active=True):
        print(f"Project: {project.name} (billable={project.is_billable})")
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "  0.0h — Resolved TKT-101",
        "  0.0h — Resolved TKT-102",
        "  0.0h — Resolved TKT-103",
        "  0.5h — Support ticket triage batch — 15 tickets processed",
        "Project: Support (billable=True)",
        "Project: proj_123 (billable=True)",
    ]


def test_reports(client: Keito, capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}
    client.time_entries.create(**fields, hours=1, notes="reviewed", source=Source.AGENT)  # type: ignore[arg-type]
    for result in client.reports.team_time(from_date="20260301", to_date="20260331"):
        print(f"{result.user_name}: {result.billable_hours}h (${result.billable_amount})")
    for entry in client.time_entries.list(source=Source.AGENT, from_date="2026-03-01"):
        assert entry.user is not None
        print(f"{entry.user.name}: {entry.hours}h — {entry.notes}")
    assert capsys.readouterr().out.splitlines() == [
        "usr_promised: 3.0h ($90.0)",
        "usr_promised: 1.0h — reviewed",
    ]


def test_configuration() -> None:
    client = Keito(
        api_key="kto_...",
        account_id="acc_...",
        base_url="https://app.keito.io",
        timeout=60.0,
        max_retries=2,
        httpx_client=None,
    )
    assert "https://app.keito.io" in repr(client)


METHODS = {
    "time_entries": ["list", "create", "update", "delete", "start", "stop", "restart"],
    "expenses": ["list", "create"],
    "projects": ["list", "create"],
    "clients": ["list", "create", "get", "update"],
    "contacts": ["list", "create"],
    "tasks": ["list"],
    "users": ["me"],
    "invoices": ["list", "create", "get", "update", "delete"],
    "invoices.messages": ["list", "create"],
    "reports": ["team_time"],
    "outcomes": ["log"],
}


@pytest.mark.parametrize("kind", [Keito, AsyncKeito])
@pytest.mark.parametrize("resource", METHODS)
def test_resources_and_their_methods(kind: Any, resource: str) -> None:
    found: Any = kind(api_key="kto_...", account_id="acc_...")
    for name in resource.split("."):
        found = getattr(found, name)
    for method in METHODS[resource]:
        assert callable(getattr(found, method))
        assert callable(getattr(found.with_raw_response, method))


def test_pages(client: Keito) -> None:
    for number in range(60):
        client.time_entries.create(
            project_id="proj_123", task_id="task_456", spent_date="2026-03-05", hours=1, notes=str(number)
        )
    assert len([entry.id for entry in client.time_entries.list()]) == 61
    iterator = client.time_entries.list(per_page=50)
    first = next(iterator)
    assert first.notes == "59"
    assert iterator.total_entries == 61
    assert iterator.total_pages == 2


@pytest.mark.anyio
async def test_pages_async() -> None:
    async with AsyncKeito() as async_client:
        ids = []
        async for entry in async_client.time_entries.list():
            ids.append(entry.id)  # noqa: PERF401
    assert ids == ["entry_locked"]


def test_errors(client: Keito, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        client.time_entries.delete("entry_locked")
    except KeitoConflictError as e:
        print(e.status_code)
        assert e.body["error"] == "conflict"  # noqa: PT017
        assert "error_description" in e.body  # noqa: PT017
    except KeitoApiError as e:
        print("wrong", e.status_code, e.body)
    assert capsys.readouterr().out == "409\n"
    for kind in (
        KeitoAuthError,
        KeitoForbiddenError,
        KeitoNotFoundError,
        KeitoValidationError,
        KeitoConflictError,
        KeitoRateLimitError,
        KeitoServerError,
    ):
        assert issubclass(kind, KeitoApiError)
    assert not issubclass(KeitoTimeoutError, KeitoApiError)
    assert not issubclass(KeitoConnectionError, KeitoApiError)


def test_retries_by_client_and_by_request(keito_sandbox: Any, waits: "list[float]") -> None:
    client = Keito(max_retries=5)
    keito_sandbox.faults.add("status", method="GET", status=503, times=5)
    assert client.users.me().id == "usr_promised"
    assert len(waits) == 5
    keito_sandbox.faults.add("status", method="POST", status=503)
    with pytest.raises(KeitoServerError):
        client.time_entries.create(
            project_id="proj_123",
            task_id="task_456",
            spent_date="2026-03-05",
            request_options={"max_retries": 0, "timeout": 120.0},
        )
    client.close()


def test_request_options(client: Keito, keito_sandbox: Any) -> None:
    entry = client.time_entries.create(
        project_id="proj_123",
        task_id="task_456",
        spent_date="2026-03-05",
        hours=1.5,
        request_options={
            "timeout": 120.0,
            "max_retries": 0,
            "additional_headers": {"X-Idempotency-Key": "unique-key-123"},
        },
    )
    assert entry.hours == 1.5
    assert keito_sandbox.requests()[-1]["headers"]["x-idempotency-key"] == "unique-key-123"


@pytest.mark.anyio
async def test_context_managers() -> None:
    with Keito() as client:
        entries = list(client.time_entries.list())
    async with AsyncKeito() as async_client:
        assert [e async for e in async_client.time_entries.list()] == entries


def test_models_are_frozen_pydantic_models(client: Keito) -> None:
    from pydantic import BaseModel, ValidationError

    for model in (
        TimeEntry,
        TimeEntryCreate,
        TimeEntryUpdate,
        Expense,
        ExpenseCreate,
        Project,
        ClientModel,
        ClientCreate,
        Contact,
        ContactCreate,
        Task,
        User,
        Invoice,
        InvoiceCreate,
        InvoiceUpdate,
        LineItem,
        InvoiceMessage,
        InvoiceMessageCreate,
        TeamTimeResult,
        IdName,
    ):
        assert issubclass(model, BaseModel)
        assert model.model_config.get("frozen")
    (entry,) = client.time_entries.list()
    assert entry.spent_date == date(2026, 3, 5)
    with pytest.raises(ValidationError):
        entry.hours = 5.0


def test_enums() -> None:
    assert {Source.WEB, Source.CLI, Source.API, Source.AGENT} == {"web", "cli", "api", "agent"}
    assert {UserType.HUMAN, UserType.AGENT} == {"human", "agent"}
    states = {InvoiceState.DRAFT, InvoiceState.OPEN, InvoiceState.PAID, InvoiceState.CLOSED}
    assert states == {"draft", "open", "paid", "closed"}
    terms = {PaymentTerm.UPON_RECEIPT, PaymentTerm.NET_15, PaymentTerm.NET_30, PaymentTerm.NET_45, PaymentTerm.NET_60}
    assert terms == {"upon_receipt", "net_15", "net_30", "net_45", "net_60"}
    approvals = {
        ApprovalStatus.UNSUBMITTED,
        ApprovalStatus.SUBMITTED,
        ApprovalStatus.APPROVED,
        ApprovalStatus.REJECTED,
    }
    assert approvals == {"unsubmitted", "submitted", "approved", "rejected"}
