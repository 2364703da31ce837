"""Every endpoint of the API, each described once: the routes and the OpenAPI document come from this table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional

from pydantic import BaseModel

from keito.sandbox import (
    answers,
    clients,
    contacts,
    expenses,
    filters,
    invoice_messages,
    invoices,
    people,
    projects,
    reports,
    requests,
    tasks,
    time_entries,
    timers,
)


@dataclass(frozen=True)
class Endpoint:
    """A method and path, what may be sent, what is answered, and the rule that does it.

    Attributes:
        rule: called with the context, and with `id_`, `query` and `body` where the endpoint has them.
        answer: the model of the answer; None stands for 204.
        body_required: whether an absent body is refused.
    """

    method: str
    path: str
    rule: Callable[..., Any]
    answer: Optional[type[BaseModel]]
    query: Optional[type[BaseModel]] = None
    body: Optional[type[BaseModel]] = None
    body_required: bool = True

    @property
    def is_write(self) -> bool:
        """Whether it changes anything."""
        return self.method != "GET"

    @property
    def status(self) -> int:
        """The status of success; the API answers 200 for creations too."""
        return 200 if self.answer else 204

    @property
    def name(self) -> str:
        """A unique name."""
        return f"{self.rule.__module__.rpartition('.')[2]}_{self.rule.__name__}"


def _get(path: str, rule: Callable[..., Any], answer: type[BaseModel], query: Any = None) -> Endpoint:
    return Endpoint("GET", path, rule, answer, query=query)


def _post(path: str, rule: Callable[..., Any], answer: type[BaseModel], body: type[BaseModel]) -> Endpoint:
    return Endpoint("POST", path, rule, answer, body=body)


def _patch(path: str, rule: Callable[..., Any], answer: type[BaseModel], body: type[BaseModel]) -> Endpoint:
    return Endpoint("PATCH", path, rule, answer, body=body)


ENTRY = "/time_entries/{id}"
INVOICE = "/invoices/{id}"

ENDPOINTS = (
    _get("/time_entries", time_entries.list_entries, answers.TimeEntryPage, filters.TimeEntryFilter),
    _post("/time_entries", time_entries.create, answers.TimeEntry, requests.TimeEntryCreate),
    _patch(ENTRY, time_entries.patch, answers.TimeEntry, requests.TimeEntryUpdate),
    Endpoint("DELETE", ENTRY, time_entries.delete, None),
    Endpoint(
        "PATCH", ENTRY + "/stop", timers.stop, answers.TimeEntry, body=requests.TimeEntryStop, body_required=False
    ),
    Endpoint(
        "PATCH",
        ENTRY + "/restart",
        timers.restart,
        answers.TimeEntry,
        body=requests.TimeEntryRestart,
        body_required=False,
    ),
    _get("/expenses", expenses.list_expenses, answers.ExpensePage, filters.ExpenseFilter),
    _post("/expenses", expenses.create, answers.Expense, requests.ExpenseCreate),
    _get("/projects", projects.list_projects, answers.ProjectPage, filters.ProjectFilter),
    _post("/projects", projects.create, answers.Project, requests.ProjectCreate),
    _get("/clients", clients.list_clients, answers.ClientPage, filters.ClientFilter),
    _post("/clients", clients.create, answers.Client, requests.ClientCreate),
    _get("/clients/{id}", clients.get, answers.Client),
    _patch("/clients/{id}", clients.patch, answers.Client, requests.ClientUpdate),
    _get("/contacts", contacts.list_contacts, answers.ContactPage, filters.ContactFilter),
    _post("/contacts", contacts.create, answers.Contact, requests.ContactCreate),
    _get("/tasks", tasks.list_tasks, answers.TaskPage, filters.TaskFilter),
    _get("/users/me", people.me, answers.User),
    _get("/invoices", invoices.list_invoices, answers.InvoicePage, filters.InvoiceFilter),
    _post("/invoices", invoices.create, answers.Invoice, requests.InvoiceCreate),
    _get(INVOICE, invoices.get, answers.Invoice),
    _patch(INVOICE, invoices.patch, answers.Invoice, requests.InvoiceUpdate),
    Endpoint("DELETE", INVOICE, invoices.delete, answers.Deleted),
    _get(INVOICE + "/messages", invoice_messages.list_messages, answers.InvoiceMessagePage, filters.Paging),
    _post(INVOICE + "/messages", invoice_messages.send, answers.InvoiceMessage, requests.InvoiceMessageCreate),
    _get("/reports/time/team", reports.team_time, answers.TeamTimePage, filters.ReportFilter),
)
