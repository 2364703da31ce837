"""Every endpoint, through both clients: what is sent, and what comes back."""

import inspect
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from keito import KeitoConflictError, KeitoForbiddenError, KeitoNotFoundError, OutcomeTypes
from keito.resources.clients import Clients
from keito.resources.contacts import Contacts
from keito.resources.expenses import Expenses
from keito.resources.invoice_messages import InvoiceMessages
from keito.resources.invoices import Invoices
from keito.resources.projects import Projects
from keito.resources.reports import Reports
from keito.resources.tasks import Tasks
from keito.resources.time_entries import TimeEntries
from keito.types import (
    ApprovalStatus,
    ClientModel,
    Contact,
    Expense,
    Invoice,
    InvoiceMessage,
    InvoiceState,
    LineItemCreate,
    MessageEvent,
    PaymentTerm,
    Project,
    Recipient,
    Source,
    Task,
    TeamTimeResult,
    TimeEntry,
    User,
    UserType,
)

MOMENT = datetime(2026, 3, 5, 10, 30, tzinfo=timezone(timedelta(hours=2)))
PAGING = {"page": "1", "per_page": "100"}

# What each list takes, and the query that it becomes.
LISTS: "dict[str, tuple[Any, str, dict[str, Any], dict[str, str]]]" = {
    "time_entries": (
        lambda client, **given: client.time_entries.list(**given),
        "/time_entries",
        {
            "user_id": "usr_agent",
            "client_id": "cli_acme",
            "project_id": "proj_support",
            "task_id": "task_tickets",
            "is_billed": False,
            "is_running": True,
            "from_date": date(2026, 3, 1),
            "to_date": "2026-03-31",
            "updated_since": MOMENT,
            "source": [Source.AGENT, "cli"],
        },
        {
            "user_id": "usr_agent",
            "client_id": "cli_acme",
            "project_id": "proj_support",
            "task_id": "task_tickets",
            "is_billed": "false",
            "is_running": "true",
            "from": "2026-03-01",
            "to": "2026-03-31",
            "updated_since": "2026-03-05T08:30:00Z",
            "source": "agent,cli",
        },
    ),
    "expenses": (
        lambda client, **given: client.expenses.list(**given),
        "/expenses",
        {
            "user_id": "usr_agent",
            "client_id": "cli_acme",
            "project_id": "proj_support",
            "is_billed": True,
            "from_date": "2026-03-01",
            "to_date": date(2026, 3, 31),
            "updated_since": "2026-03-05T08:30:00Z",
            "source": Source.AGENT,
        },
        {
            "user_id": "usr_agent",
            "client_id": "cli_acme",
            "project_id": "proj_support",
            "is_billed": "true",
            "from": "2026-03-01",
            "to": "2026-03-31",
            "updated_since": "2026-03-05T08:30:00Z",
            "source": "agent",
        },
    ),
    "projects": (
        lambda client, **given: client.projects.list(**given),
        "/projects",
        {"is_active": False, "client_id": "cli_acme", "updated_since": MOMENT},
        {"is_active": "false", "client_id": "cli_acme", "updated_since": "2026-03-05T08:30:00Z"},
    ),
    "clients": (
        lambda client, **given: client.clients.list(**given),
        "/clients",
        {"is_active": True, "updated_since": "2026-03-05T10:30:00+02:00"},
        {"is_active": "true", "updated_since": "2026-03-05T08:30:00Z"},
    ),
    "contacts": (
        lambda client, **given: client.contacts.list(**given),
        "/contacts",
        {"client_id": "cli_acme", "updated_since": MOMENT},
        {"client_id": "cli_acme", "updated_since": "2026-03-05T08:30:00Z"},
    ),
    "tasks": (
        lambda client, **given: client.tasks.list(**given),
        "/tasks",
        {"is_active": True, "project_id": "proj_support", "updated_since": MOMENT},
        {"is_active": "true", "project_id": "proj_support", "updated_since": "2026-03-05T08:30:00Z"},
    ),
    "invoices": (
        lambda client, **given: client.invoices.list(**given),
        "/invoices",
        {
            "client_id": "cli_acme",
            "state": InvoiceState.OPEN,
            "from_date": "2026-03-01",
            "to_date": date(2026, 3, 31),
            "updated_since": MOMENT,
        },
        {
            "client_id": "cli_acme",
            "state": "open",
            "from": "2026-03-01",
            "to": "2026-03-31",
            "updated_since": "2026-03-05T08:30:00Z",
        },
    ),
    "messages": (
        lambda client, **given: client.invoices.messages.list("inv_1", **given),
        "/invoices/inv_1/messages",
        {},
        {},
    ),
    "team_time": (
        lambda client, **given: client.reports.team_time("2026-03-01", date(2026, 3, 31)),
        "/reports/time/team",
        {},
        {"from": "20260301", "to": "20260331"},
    ),
}


@pytest.fixture(autouse=True)
def an_invoice(keito_sandbox: Any) -> None:
    keito_sandbox.seed(invoices=[{"id": "inv_1", "number": "INV-2026-0999", "issue_date": "2026-03-05"}])


@pytest.mark.parametrize("name", LISTS)
def test_a_list_sends_its_parameters(client: Any, keito_sandbox: Any, name: str) -> None:
    list_, path, given, query = LISTS[name]
    list(list_(client, **given))
    (request,) = keito_sandbox.requests()
    assert (request["method"], request["path"], request["status"]) == ("GET", f"/api/v2{path}", 200)
    assert request["query"] == {**query, **PAGING}
    assert request["body"] is None


@pytest.mark.parametrize("name", [name for name in LISTS if name != "team_time"])
def test_a_list_without_arguments_asks_for_the_first_hundred(client: Any, keito_sandbox: Any, name: str) -> None:
    list_, _, _, _ = LISTS[name]
    list(list_(client))
    assert keito_sandbox.requests()[-1]["query"] == PAGING


@pytest.mark.parametrize("name", [name for name in LISTS if name != "team_time"])
def test_every_list_takes_page_and_per_page(client: Any, keito_sandbox: Any, name: str) -> None:
    list_, _, _, _ = LISTS[name]
    list(list_(client, page=3, per_page=2000))
    assert keito_sandbox.requests()[-1]["query"] == {"page": "3", "per_page": "2000"}


@pytest.mark.parametrize(("first", "last"), [("20260301", "20260331"), ("2026-03-01", date(2026, 3, 31))])
def test_the_report_takes_dates_in_each_form(client: Any, keito_sandbox: Any, first: Any, last: Any) -> None:
    list(client.reports.team_time(first, last, page=2, per_page=7))
    query = keito_sandbox.requests()[-1]["query"]
    assert query == {"from": "20260301", "to": "20260331", "page": "2", "per_page": "7"}


# What each write takes, and the JSON that it becomes. The sandbox refuses fields that it does not know.
WRITES: "dict[str, tuple[Any, str, str, dict[str, Any], dict[str, Any]]]" = {
    "time_entries.create": (
        lambda client, **given: client.time_entries.create(**given),
        "POST",
        "/time_entries",
        {
            "project_id": "proj_support",
            "task_id": "task_tickets",
            "spent_date": date(2026, 3, 5),
            "user_id": "usr_member",
            "hours": Decimal("1.50"),
            "notes": "Räksmörgås",
            "billable": True,
            "is_running": False,
            "replace_running": False,
            "started_time": time(9, 5),
            "ended_time": "10:35",
            "source": Source.AGENT,
            "metadata": {"session_id": "s"},
        },
        {
            "project_id": "proj_support",
            "task_id": "task_tickets",
            "spent_date": "2026-03-05",
            "user_id": "usr_member",
            "hours": 1.5,
            "notes": "Räksmörgås",
            "billable": True,
            "is_running": False,
            "replace_running": False,
            "started_time": "09:05",
            "ended_time": "10:35",
            "source": "agent",
            "metadata": {"session_id": "s"},
        },
    ),
    "time_entries.update": (
        lambda client, **given: client.time_entries.update("te_1", **given),
        "PATCH",
        "/time_entries/te_1",
        {
            "project_id": "proj_support",
            "task_id": "task_tickets",
            "spent_date": "2026-03-06",
            "hours": 2,
            "notes": None,
            "billable": False,
            "started_time": None,
            "ended_time": time(11, 30),
            "metadata": None,
        },
        {
            "project_id": "proj_support",
            "task_id": "task_tickets",
            "spent_date": "2026-03-06",
            "hours": 2,
            "notes": None,
            "billable": False,
            "started_time": None,
            "ended_time": "11:30",
            "metadata": None,
        },
    ),
    "expenses.create": (
        lambda client, **given: client.expenses.create(**given),
        "POST",
        "/expenses",
        {
            "project_id": "proj_support",
            "expense_category_id": "cat_llm",
            "spent_date": "2026-03-05",
            "total_cost": Decimal("0.135"),
            "units": 45,
            "notes": "30k in, 15k out",
            "billable": False,
            "source": "agent",
            "metadata": {"model": "m"},
        },
        {
            "project_id": "proj_support",
            "expense_category_id": "cat_llm",
            "spent_date": "2026-03-05",
            "total_cost": 0.135,
            "units": 45,
            "notes": "30k in, 15k out",
            "billable": False,
            "source": "agent",
            "metadata": {"model": "m"},
        },
    ),
    "projects.create": (
        lambda client, **given: client.projects.create(**given),
        "POST",
        "/projects",
        {
            "client_id": "cli_acme",
            "name": "Search",
            "code": "SEA",
            "notes": "n",
            "is_billable": True,
            "bill_by": "PROJECT",
            "budget_by": "NONE",
            "task_ids": ("task_tickets",),
        },
        {
            "client_id": "cli_acme",
            "name": "Search",
            "code": "SEA",
            "notes": "n",
            "is_billable": True,
            "bill_by": "PROJECT",
            "budget_by": "NONE",
            "task_ids": ["task_tickets"],
        },
    ),
    "clients.create": (
        lambda client, **given: client.clients.create(**given),
        "POST",
        "/clients",
        {
            "name": "Umbrella",
            "address": "1 Street",
            "currency": "EUR",
            "payment_terms": PaymentTerm.CUSTOM,
            "payment_days": 21,
            "tax": 19,
            "tax2": Decimal("2.5"),
            "discount": 1.5,
            "is_active": True,
        },
        {
            "name": "Umbrella",
            "address": "1 Street",
            "currency": "EUR",
            "payment_terms": "custom",
            "payment_days": 21,
            "tax": 19,
            "tax2": 2.5,
            "discount": 1.5,
            "is_active": True,
        },
    ),
    "clients.update": (
        lambda client, **given: client.clients.update("cli_acme", **given),
        "PATCH",
        "/clients/cli_acme",
        {
            "name": "Acme Ltd",
            "address": None,
            "currency": "USD",
            "payment_terms": "net_15",
            "payment_days": None,
            "tax": None,
            "tax2": 0,
            "discount": None,
            "is_active": False,
        },
        {
            "name": "Acme Ltd",
            "address": None,
            "currency": "USD",
            "payment_terms": "net_15",
            "payment_days": None,
            "tax": None,
            "tax2": 0,
            "discount": None,
            "is_active": False,
        },
    ),
    "contacts.create": (
        lambda client, **given: client.contacts.create(**given),
        "POST",
        "/contacts",
        {
            "client_id": "cli_acme",
            "first_name": "Ada",
            "last_name": "L",
            "title": "CFO",
            "email": "ada@example.com",
            "phone_office": "1",
            "phone_mobile": "2",
            "fax": None,
        },
        {
            "client_id": "cli_acme",
            "first_name": "Ada",
            "last_name": "L",
            "title": "CFO",
            "email": "ada@example.com",
            "phone_office": "1",
            "phone_mobile": "2",
            "fax": None,
        },
    ),
    "invoices.create": (
        lambda client, **given: client.invoices.create(**given),
        "POST",
        "/invoices",
        {
            "client_id": "cli_acme",
            "subject": "March",
            "issue_date": date(2026, 3, 31),
            "due_date": "2026-04-30",
            "payment_term": PaymentTerm.NET_30,
            "currency": "USD",
            "purchase_order": "PO-1",
            "tax": 19,
            "tax2": 1.5,
            "discount": Decimal("10.0"),
            "notes": "thanks",
            "period_start": "2026-03-01",
            "period_end": date(2026, 3, 31),
            "line_items": [
                {
                    "kind": "Service",
                    "description": "review",
                    "quantity": 42,
                    "unit_price": Decimal("150.25"),
                    "taxed": True,
                    "taxed2": False,
                    "project_id": "proj_support",
                },
                LineItemCreate(description="tickets", quantity=312, unit_price=0.99),
            ],
        },
        {
            "client_id": "cli_acme",
            "subject": "March",
            "issue_date": "2026-03-31",
            "due_date": "2026-04-30",
            "payment_term": "net_30",
            "currency": "USD",
            "purchase_order": "PO-1",
            "tax": 19,
            "tax2": 1.5,
            "discount": 10,
            "notes": "thanks",
            "period_start": "2026-03-01",
            "period_end": "2026-03-31",
            "line_items": [
                {
                    "kind": "Service",
                    "description": "review",
                    "quantity": 42,
                    "unit_price": 150.25,
                    "taxed": True,
                    "taxed2": False,
                    "project_id": "proj_support",
                },
                {"description": "tickets", "quantity": 312, "unit_price": 0.99},
            ],
        },
    ),
    "invoices.update": (
        lambda client, **given: client.invoices.update("inv_1", **given),
        "PATCH",
        "/invoices/inv_1",
        {
            "subject": None,
            "issue_date": "2026-03-06",
            "due_date": date(2026, 4, 6),
            "purchase_order": None,
            "tax": None,
            "tax2": 1,
            "discount": 2.5,
            "notes": "n",
            "period_start": None,
            "period_end": "2026-03-31",
        },
        {
            "subject": None,
            "issue_date": "2026-03-06",
            "due_date": "2026-04-06",
            "purchase_order": None,
            "tax": None,
            "tax2": 1,
            "discount": 2.5,
            "notes": "n",
            "period_start": None,
            "period_end": "2026-03-31",
        },
    ),
    "messages.create": (
        lambda client, **given: client.invoices.messages.create("inv_1", **given),
        "POST",
        "/invoices/inv_1/messages",
        {
            "recipients": [{"name": "CFO", "email": "cfo@example.com"}, Recipient(name="B", email="b@example.com")],
            "subject": "Invoice",
            "body": "Please find attached",
            "attach_pdf": True,
            "send_me_a_copy": True,
            "include_attachments": False,
            "event_type": MessageEvent.REMINDER,
        },
        {
            "recipients": [{"name": "CFO", "email": "cfo@example.com"}, {"name": "B", "email": "b@example.com"}],
            "subject": "Invoice",
            "body": "Please find attached",
            "attach_pdf": True,
            "send_me_a_copy": True,
            "include_attachments": False,
            "event_type": "reminder",
        },
    ),
    "time_entries.start": (
        lambda client, **given: client.time_entries.start(**given),
        "POST",
        "/time_entries",
        {
            "project_id": "proj_support",
            "task_id": "task_tickets",
            "spent_date": datetime.now(timezone.utc).date(),
            "replace_running": True,
            "user_id": "usr_agent",
            "notes": "n",
            "billable": True,
            "source": "cli",
            "metadata": {"a": 1},
        },
        {
            "project_id": "proj_support",
            "task_id": "task_tickets",
            "spent_date": datetime.now(timezone.utc).date().isoformat(),
            "is_running": True,
            "replace_running": True,
            "user_id": "usr_agent",
            "notes": "n",
            "billable": True,
            "source": "cli",
            "metadata": {"a": 1},
        },
    ),
    "time_entries.stop": (
        lambda client, **given: client.time_entries.stop("te_running", **given),
        "PATCH",
        "/time_entries/te_running/stop",
        {"notes": "done"},
        {"notes": "done"},
    ),
    "time_entries.restart": (
        lambda client, **given: client.time_entries.restart("te_1", **given),
        "PATCH",
        "/time_entries/te_1/restart",
        {"replace_running": True},
        {"replace_running": True},
    ),
}


@pytest.fixture
def entries(keito_sandbox: Any, entry_fields: "dict[str, Any]") -> None:
    fields = {**entry_fields, "hours": 1}
    running = {**fields, "id": "te_running", "is_running": True, "user_id": "usr_manager"}
    keito_sandbox.seed(entries=[{**fields, "id": "te_1"}, running])


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize("name", WRITES)
def test_a_write_sends_its_fields(client: Any, keito_sandbox: Any, name: str) -> None:
    write, method, path, given, body = WRITES[name]
    record = write(client, **given)
    assert record.id
    (request,) = keito_sandbox.requests()
    assert (request["method"], request["path"], request["status"]) == (method, f"/api/v2{path}", 200)
    assert request["body"] == body
    assert request["headers"]["content-type"] == "application/json"


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize("name", WRITES)
def test_a_write_sends_nothing_that_was_not_given(client: Any, keito_sandbox: Any, name: str) -> None:
    write, _, _, given, body = WRITES[name]
    required = {"project_id", "task_id", "spent_date", "expense_category_id", "total_cost", "client_id", "recipients"}
    names = (required if name.endswith(("create", "start")) else set()) | {"name", "first_name"}
    least = {key: value for key, value in given.items() if key in names and not name.endswith("update")}
    write(client, **least)
    expected = {key: body[key] for key in least}
    if name == "time_entries.start":
        expected["is_running"] = True
    assert keito_sandbox.requests()[-1]["body"] == expected


def test_a_timer_starts_today_unless_told_otherwise(client: Any, keito_sandbox: Any) -> None:
    before = date.today()  # noqa: DTZ011
    client.time_entries.start(project_id="proj_support", task_id="task_tickets")
    sent = date.fromisoformat(keito_sandbox.requests()[-1]["body"]["spent_date"])
    assert before <= sent <= date.today()  # noqa: DTZ011


def test_every_request_says_who_asks(client: Any, keito_sandbox: Any) -> None:
    client.users.me()
    headers = keito_sandbox.requests()[-1]["headers"]
    assert headers["keito-account-id"] == "acc_sandbox"
    assert headers["user-agent"].startswith("keito-python/")
    assert headers["accept"] == "application/json"
    assert "content-type" not in headers
    assert "content-length" not in headers


@pytest.mark.usefixtures("entries")
def test_a_delete_sends_no_body(client: Any, keito_sandbox: Any) -> None:
    assert client.time_entries.delete("te_1") is None
    (request,) = keito_sandbox.requests()
    assert (request["method"], request["path"], request["status"]) == ("DELETE", "/api/v2/time_entries/te_1", 204)
    assert request["body"] is None
    with pytest.raises(KeitoNotFoundError):
        client.time_entries.delete("te_1")


def test_a_deleted_invoice_answers_a_dict(client: Any, keito_sandbox: Any) -> None:
    assert client.invoices.delete("inv_1") == {"id": "inv_1", "deleted": True}
    assert keito_sandbox.requests()[-1]["method"] == "DELETE"
    with pytest.raises(KeitoNotFoundError):
        client.invoices.get("inv_1")


def parameters(name: str) -> "set[str]":
    """The parameters of a method, without ids in the path and what all methods have."""
    resource, method = name.split(".")
    kinds = {
        **{kind.__name__: kind for kind in (Clients, Contacts, Expenses, Invoices, Projects, Reports, Tasks)},
        "TimeEntries": TimeEntries,
        "Messages": InvoiceMessages,
    }
    found = inspect.signature(getattr(kinds[resource.title().replace("_", "")], method)).parameters
    return set(found) - {"self", "id", "invoice_id", "request_options", "page", "per_page", "prefetch"}


def test_the_tables_above_try_every_parameter() -> None:
    for name, (_, _, _, given, _) in WRITES.items():
        # Only a workspace that allows starts in the past takes it; see below.
        assert set(given) == parameters(name) - ({"started_time"} if name == "time_entries.start" else set()), name
    for name, (_, _, given, _) in LISTS.items():
        if name != "team_time":
            assert set(given) == parameters(f"{name}.list"), name


def test_a_timer_may_start_in_the_past(connect: Any, keito_sandbox: Any) -> None:
    keito_sandbox.seed(companies=[{"id": "acc_sandbox", "allow_past_timer_starts": True}])
    connect().time_entries.start(
        project_id="proj_support", task_id="task_tickets", spent_date="2026-03-05", started_time=time(9, 5)
    )
    assert keito_sandbox.requests()[-1]["body"]["started_time"] == "09:05"


STAMPS = {"created_at": "2026-03-05T08:30:00Z", "updated_at": "2026-03-06T08:30:00.123000Z"}
ONE = {"id": "x_1", "name": "One"}

# A complete answer of each kind, by the API's contract.
ANSWERS: "dict[str, tuple[type, Any, dict[str, Any]]]" = {
    "TimeEntry": (
        TimeEntry,
        lambda client: client.time_entries.create(
            project_id="p", task_id="t", spent_date="2026-03-05", request_options={"max_retries": 0}
        ),
        {
            "id": "te_1",
            "user_id": "u",
            "project_id": "p",
            "task_id": "t",
            "user": ONE,
            "project": ONE,
            "task": ONE,
            "spent_date": "2026-03-05",
            "hours": 1.25,
            "notes": "n",
            "is_running": False,
            "timer_started_at": "2026-03-05T08:00:00Z",
            "started_time": "08:00",
            "ended_time": "09:15",
            "is_locked": False,
            "is_closed": True,
            "is_billed": False,
            "billable": True,
            "budgeted": False,
            "billable_rate": 90.5,
            "cost_rate": 40.0,
            "source": "desktop",
            "metadata": {"a": {"b": [1, 2.5, None]}},
            **STAMPS,
        },
    ),
    "Expense": (
        Expense,
        lambda client: client.expenses.create(
            project_id="p", expense_category_id="c", spent_date="2026-03-05", total_cost=1
        ),
        {
            "id": "ex_1",
            "user_id": "u",
            "project_id": "p",
            "expense_category_id": "c",
            "user": ONE,
            "project": ONE,
            "expense_category": ONE,
            "spent_date": "2026-03-05",
            "total_cost": 0.135,
            "units": 45,
            "notes": "n",
            "billable": True,
            "receipt_file_name": "r.pdf",
            "receipt_content_type": "application/pdf",
            "receipt_url": "https://files.example/r.pdf",
            "is_locked": True,
            "is_billed": True,
            "approval_status": "submitted",
            "source": "web",
            "metadata": None,
            **STAMPS,
        },
    ),
    "Project": (
        Project,
        lambda client: client.projects.create(client_id="c", name="n"),
        {
            "id": "pr_1",
            "client": ONE,
            "name": "n",
            "code": "C",
            "is_active": True,
            "is_billable": True,
            "is_fixed_fee": False,
            "bill_by": "Project",
            "hourly_rate": 90.0,
            "fee": 1.5,
            "budget_by": "none",
            "budget": 10.0,
            "budget_is_monthly": False,
            "notify_when_over_budget": True,
            "over_budget_notification_percentage": 80.0,
            "show_budget_to_all": False,
            "cost_budget": 5.0,
            "cost_budget_include_expenses": False,
            "starts_on": "2026-01-01",
            "ends_on": "2026-12-31",
            "notes": "n",
            **STAMPS,
        },
    ),
    "Client": (
        ClientModel,
        lambda client: client.clients.get("cl_1"),
        {
            "id": "cl_1",
            "name": "n",
            "address": "a",
            "currency": "USD",
            "is_active": True,
            "payment_terms": "net_45",
            "payment_days": 45,
            "tax": 19.0,
            "tax2": 2.5,
            "discount": 5.0,
            "statement_key": "k",
            **STAMPS,
        },
    ),
    "Contact": (
        Contact,
        lambda client: client.contacts.create(client_id="c", first_name="A"),
        {
            "id": "co_1",
            "client": ONE,
            "first_name": "A",
            "last_name": "B",
            "title": "CFO",
            "email": "a@example.com",
            "phone_office": "1",
            "phone_mobile": "2",
            "fax": "3",
            **STAMPS,
        },
    ),
    "User": (
        User,
        lambda client: client.users.me(),
        {
            "id": "u_1",
            "first_name": "A",
            "last_name": "B",
            "email": "a@example.com",
            "telephone": "1",
            "timezone": "Europe/Berlin",
            "has_access_to_all_future_projects": True,
            "is_contractor": False,
            "is_active": True,
            "weekly_capacity": 144000,
            "default_hourly_rate": 90.0,
            "cost_rate": 40.0,
            "currency": "EUR",
            "roles": ["member"],
            "user_type": "agent",
            "avatar_url": "https://files.example/a.png",
            "company": ONE,
            **STAMPS,
        },
    ),
    "Invoice": (
        Invoice,
        lambda client: client.invoices.get("in_1"),
        {
            "id": "in_1",
            "client_id": "c",
            "created_by_id": "u",
            "client": ONE,
            "creator": {"id": "u", "name": "A", "email": "a@example.com"},
            "number": "INV-2026-0001",
            "purchase_order": "PO",
            "subject": "s",
            "state": "paid",
            "amount": 10.5,
            "due_amount": 0.0,
            "tax": 19.0,
            "tax_amount": 1.5,
            "tax2": 1.0,
            "tax2_amount": 0.5,
            "discount": 5.0,
            "discount_amount": 0.25,
            "currency": "USD",
            "issue_date": "2026-03-05",
            "due_date": "2026-04-04",
            "payment_term": "net_30",
            "notes": "n",
            "period_start": "2026-03-01",
            "period_end": "2026-03-31",
            "sent_at": "2026-03-05T08:30:00Z",
            "paid_at": "2026-03-06T08:30:00Z",
            "closed_at": None,
            **STAMPS,
            "line_items": [
                {
                    "id": "li_1",
                    "kind": "Service",
                    "description": "d",
                    "quantity": 2.0,
                    "unit_price": 5.25,
                    "amount": 10.5,
                    "taxed": True,
                    "taxed2": False,
                    "project_id": "p",
                }
            ],
        },
    ),
    "InvoiceMessage": (
        InvoiceMessage,
        lambda client: client.invoices.messages.create("i", recipients=[{"name": "n", "email": "e@example.com"}]),
        {
            "id": "im_1",
            "invoice_id": "i",
            "sent_by": "A",
            "sent_by_email": "a@example.com",
            "sent_from": "K",
            "sent_from_email": "k@example.com",
            "recipients": [{"name": "n", "email": "e@example.com"}],
            "subject": "s",
            "body": "b",
            "attach_pdf": True,
            "send_me_a_copy": False,
            "thank_you": False,
            "reminder": False,
            "event_type": "send",
            **STAMPS,
        },
    ),
}


def as_json(model: Any) -> Any:
    return model.model_dump(mode="json")


def same_moments(answer: "dict[str, Any]") -> "dict[str, Any]":
    """The answer as pydantic writes its moments."""
    return {**answer, "updated_at": "2026-03-06T08:30:00.123000Z"} if "updated_at" in answer else answer


@pytest.mark.parametrize("name", ANSWERS)
def test_every_field_of_an_answer_is_read(client: Any, keito_sandbox: Any, name: str) -> None:
    model, call, body = ANSWERS[name]
    keito_sandbox.faults.add("status", status=200, body=body)
    record = call(client)
    assert type(record) is model
    assert as_json(record) == same_moments(body)
    assert not record.model_extra, "each documented field has its place in the model"
    assert set(model.model_fields) == set(body), "the model has no field that the API does not document"


LISTED = {
    "time_entries": (TimeEntry, lambda client: client.time_entries.list(), "TimeEntry"),
    "expenses": (Expense, lambda client: client.expenses.list(), "Expense"),
    "projects": (Project, lambda client: client.projects.list(), "Project"),
    "clients": (ClientModel, lambda client: client.clients.list(), "Client"),
    "contacts": (Contact, lambda client: client.contacts.list(), "Contact"),
    "invoices": (Invoice, lambda client: client.invoices.list(), "Invoice"),
    "invoice_messages": (InvoiceMessage, lambda client: client.invoices.messages.list("i"), "InvoiceMessage"),
}


@pytest.mark.parametrize("key", LISTED)
def test_a_list_reads_its_items(client: Any, keito_sandbox: Any, key: str) -> None:
    model, list_, name = LISTED[key]
    body = ANSWERS[name][2]
    links = {"first": "/a", "next": None, "previous": None, "last": "/a"}
    page = {"per_page": 100, "total_pages": 1, "total_entries": 1, "page": 1, "links": links}
    keito_sandbox.faults.add("status", status=200, body={key: [body], **page})
    (record,) = list(list_(client))
    assert type(record) is model
    assert as_json(record) == same_moments(body)


def test_tasks_and_the_report_are_read(client: Any, keito_sandbox: Any) -> None:
    task = {
        "id": "ta_1",
        "name": "n",
        "billable_by_default": True,
        "default_hourly_rate": 50.5,
        "is_default": False,
        "is_active": True,
        "parent_task_id": "ta_0",
        **STAMPS,
    }
    row = {
        "user_id": "u",
        "user_name": "A",
        "is_contractor": False,
        "weekly_capacity": 144000,
        "avatar_url": "https://files.example/a.png",
        "total_hours": 1.5,
        "billable_hours": 1.0,
        "currency": "USD",
        "billable_amount": 90.0,
    }
    keito_sandbox.faults.add("status", path="tasks", status=200, body={"tasks": [task]})
    keito_sandbox.faults.add("status", path="reports/*", status=200, body={"results": [row]})
    (read_task,) = client.tasks.list()
    (read_row,) = client.reports.team_time("2026-03-01", "2026-03-31")
    assert (type(read_task), type(read_row)) == (Task, TeamTimeResult)
    assert as_json(read_task) == task
    assert as_json(read_row) == row


def test_any_2xx_is_a_success(client: Any, keito_sandbox: Any, entry_fields: "dict[str, Any]") -> None:
    for status in (200, 201, 202):
        keito_sandbox.faults.add("status", status=status, body={"id": f"te_{status}"})
        assert client.time_entries.create(**entry_fields).id == f"te_{status}"
    keito_sandbox.faults.add("status", status=200, body={})
    assert client.time_entries.delete("te_200") is None


def test_the_agent_learns_who_it_is(client: Any) -> None:
    me = client.users.me()
    assert (me.id, me.user_type) == ("usr_agent", UserType.AGENT)
    assert "administrator" in me.roles
    assert me.company.id == "acc_sandbox"


def test_what_was_written_can_be_read(client: Any, entry_fields: "dict[str, Any]") -> None:
    entry = client.time_entries.create(**entry_fields, hours=1.5, source="agent", metadata={"a": 1, "b": 2})
    assert (entry.hours, entry.source, entry.spent_date) == (1.5, Source.AGENT, date(2026, 3, 5))
    assert [found.id for found in client.time_entries.list(source="agent")] == [entry.id]
    assert list(client.time_entries.list(source=["web", "cli"])) == []
    merged = client.time_entries.update(entry.id, metadata={"b": 3})
    assert merged.metadata == {"a": 1, "b": 3}
    cleared = client.time_entries.update(entry.id, metadata=None, notes=None)
    assert (cleared.metadata, cleared.notes) == (None, None)


def test_a_timer_runs_stops_and_runs_again(client: Any) -> None:
    first = client.time_entries.start(project_id="proj_support", task_id="task_tickets", notes="a")
    assert first.is_running
    with pytest.raises(KeitoConflictError) as conflict:
        client.time_entries.start(project_id="proj_support", task_id="task_tickets")
    assert conflict.value.body["running_entry"]["id"] == first.id
    second = client.time_entries.start(project_id="proj_support", task_id="task_tickets", replace_running=True)
    assert [entry.id for entry in client.time_entries.list(is_running=True)] == [second.id]
    assert client.time_entries.stop(second.id, notes=None).notes is None
    with pytest.raises(KeitoConflictError, match="not running"):
        client.time_entries.stop(second.id)
    again = client.time_entries.restart(first.id)
    assert (again.id, again.is_running) == (first.id, True)
    with pytest.raises(KeitoConflictError):
        client.time_entries.restart(second.id)
    assert client.time_entries.restart(second.id, replace_running=True).is_running


def test_an_invoice_is_drafted_changed_and_sent(client: Any) -> None:
    invoice = client.invoices.create(
        client_id="cli_acme", line_items=[{"quantity": 312, "unit_price": Decimal("0.99")}]
    )
    assert (invoice.state, invoice.amount, invoice.payment_term) == (InvoiceState.DRAFT, 308.88, PaymentTerm.NET_30)
    assert client.invoices.update(invoice.id, subject="March").subject == "March"
    message = client.invoices.messages.create(invoice.id, recipients=[{"name": "A", "email": "a@example.com"}])
    assert client.invoices.get(invoice.id).state is InvoiceState.OPEN
    assert [found.id for found in client.invoices.messages.list(invoice.id)] == [message.id]
    assert [found.id for found in client.invoices.list(state="open")] == [invoice.id]
    with pytest.raises(KeitoForbiddenError):
        client.invoices.delete(invoice.id)


def test_clients_contacts_projects_and_tasks(client: Any, keito_sandbox: Any) -> None:
    buyer = client.clients.create(name="Umbrella")
    assert client.clients.update(buyer.id, address="1 Street").address == "1 Street"
    assert client.clients.get(buyer.id).address == "1 Street"
    contact = client.contacts.create(client_id=buyer.id, first_name="Ada")
    assert [found.id for found in client.contacts.list(client_id=buyer.id)] == [contact.id]
    project = client.projects.create(client_id=buyer.id, name="Search", task_ids=["task_tickets"])
    assert [found.id for found in client.projects.list(client_id=buyer.id)] == [project.id]
    assert [found.id for found in client.tasks.list(project_id=project.id)] == ["task_tickets"]
    client.projects.create(client_id=buyer.id, name="a", code="X")
    with pytest.raises(KeitoConflictError):
        client.projects.create(client_id=buyer.id, name="b", code="X")


def test_an_expense_has_its_states(client: Any, expense_fields: "dict[str, Any]") -> None:
    expense = client.expenses.create(**expense_fields)
    assert (expense.total_cost, expense.approval_status) == (0.18, ApprovalStatus.UNSUBMITTED)
    assert expense.expense_category.name == "LLM Usage"
    units = {name: value for name, value in expense_fields.items() if name != "total_cost"}
    assert client.expenses.create(**units, units=3).units == 3


def test_an_outcome_is_a_time_entry_of_no_hours(
    client: Any, keito_sandbox: Any, entry_fields: "dict[str, Any]"
) -> None:
    client.outcomes.log(
        **entry_fields,
        outcome_type=OutcomeTypes.TICKET_RESOLVED,
        description="Resolved #1",
        unit_price=Decimal("0.99"),
        quantity=2,
        success=False,
        evidence={"ticket_id": 1},
        metadata={"session_id": "s", "outcome_type": "mine", "outcome_unit_price": 5},
        user_id="usr_agent",
    )
    assert keito_sandbox.requests()[-1]["body"] == {
        **entry_fields,
        "user_id": "usr_agent",
        "hours": 0,
        "billable": True,
        "source": "agent",
        "notes": "Resolved #1",
        "metadata": {
            "session_id": "s",
            "outcome_type": "ticket_resolved",
            "outcome_unit_price": 0.99,
            "outcome_quantity": 2,
            "outcome_success": False,
            "outcome_evidence": {"ticket_id": 1},
        },
    }


def test_an_outcome_may_be_of_any_type(client: Any, keito_sandbox: Any, entry_fields: "dict[str, Any]") -> None:
    client.outcomes.log(**entry_fields, outcome_type="goat_milked")
    body = keito_sandbox.requests()[-1]["body"]
    assert body["metadata"] == {"outcome_type": "goat_milked", "outcome_quantity": 1, "outcome_success": True}
    assert "notes" not in body
