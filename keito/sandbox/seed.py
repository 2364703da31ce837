"""What a workspace starts with, and how records with given ids get into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Callable, Optional

from keito.sandbox import metadata
from keito.sandbox.context import Row, new_id
from keito.sandbox.errors import bad_request
from keito.sandbox.fields import utc_text
from keito.sandbox.numbers import seconds_of
from keito.sandbox.seed_models import (
    DEMO_ACCOUNT,
    DEMO_CLIENT,
    DEMO_USER,
    CompanySeed,
    EntrySeed,
    ExpenseSeed,
    InvoiceSeed,
    ProjectSeed,
    Seed,
    SeedRequest,
    TaskSeed,
    UserSeed,
)
from keito.sandbox.storage import insert, update

API_KEY = "kto_sandbox"
MEMBER_KEY = "kto_sandbox_member"
MANAGER_KEY = "kto_sandbox_manager"
SYNC_KEY = "kto_sandbox_sync"
ACCOUNT_ID = DEMO_ACCOUNT
CLIENT_ID = DEMO_CLIENT
USER_ID = DEMO_USER
PROJECT_ID = "proj_support"
TASK_ID = "task_tickets"
EXPENSE_CATEGORY_ID = "cat_llm"

DEMO = SeedRequest.model_validate(
    {
        "companies": [{"id": ACCOUNT_ID, "name": "Keito Sandbox"}],
        "clients": [{"id": CLIENT_ID, "name": "Acme"}],
        "tasks": [{"id": TASK_ID, "name": "Tickets", "is_default": True}],
        "categories": [{"id": EXPENSE_CATEGORY_ID, "name": "LLM Usage"}],
        "projects": [{"id": PROJECT_ID, "name": "Support", "bill_by": "Project", "hourly_rate": 90}],
        "users": [
            {
                "id": USER_ID,
                "first_name": "Support",
                "last_name": "Agent",
                "email": "support-agent@agents.keito.example",
                "role": "administrator",
                "user_type": "agent",
                "keys": [{"key": API_KEY}],
            },
            {"id": "usr_manager", "first_name": "Mona", "role": "manager", "keys": [{"key": MANAGER_KEY}]},
            {
                "id": "usr_member",
                "first_name": "Mika",
                "project_ids": [PROJECT_ID],
                "keys": [{"key": MEMBER_KEY}, {"key": SYNC_KEY, "kind": "sync"}],
            },
        ],
    }
)


def ensure_demo(db: sqlite3.Connection, now: datetime) -> None:
    """Put the demo workspace into a database that does not have it."""
    if db.execute("SELECT 1 FROM companies WHERE id = ?", (ACCOUNT_ID,)).fetchone() is None:
        plant(db, DEMO, now)


def reset(db: sqlite3.Connection, now: datetime) -> None:
    """Leave nothing but the demo workspace."""
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        db.execute(f"DELETE FROM {table}")  # noqa: S608
    plant(db, DEMO, now)


def plant(db: sqlite3.Connection, seed: SeedRequest, now: datetime) -> None:
    """Put the records into the database, in the order in which they refer to each other."""
    planter = _Planter(db, utc_text(now))
    planter.companies(seed.companies)
    planter.plain("clients", seed.clients)
    planter.contacts(seed)
    planter.plain("expense_categories", seed.categories)
    for user in seed.users:
        planter.user(user)
    for task in seed.tasks:
        planter.task(task)
    for project in seed.projects:
        planter.project(project)
    for user in seed.users:
        planter.assign(user)
    for entry in seed.entries:
        planter.entry(entry)
    for expense in seed.expenses:
        planter.expense(expense)
    for invoice in seed.invoices:
        planter.invoice(invoice)


class _Planter:
    """Writes seeds as rows; ids become the numbers that the tables refer to."""

    def __init__(self, db: sqlite3.Connection, stamp: str) -> None:
        self._db = db
        self._stamp = stamp
        self._find: Callable[[str, str], Row] = lru_cache(maxsize=4096)(self._look_up)

    def companies(self, seeds: list[CompanySeed]) -> None:
        for seed in seeds:
            known = self._db.execute("SELECT 1 FROM companies WHERE id = ?", (seed.id,)).fetchone()
            row = seed.model_dump(exclude_unset=known is not None)
            self._put("companies", row if known else {**row, "name": seed.name or seed.id})

    def plain(self, table: str, seeds: Any) -> None:
        for seed in seeds:
            self._put(table, self._row(seed))

    def contacts(self, seed: SeedRequest) -> None:
        for contact in seed.contacts:
            row = self._row(contact, "client_id")
            self._put("contacts", {**row, "client": self._no("clients", contact.client_id)})

    def task(self, seed: TaskSeed) -> None:
        no = self._put("tasks", self._row(seed, "project_ids"))
        self._assign("project_tasks", "task", no, self._projects(seed.account_id, seed.project_ids))

    def project(self, seed: ProjectSeed) -> None:
        row = self._row(seed, "client_id", "owner_id", "task_ids", "user_ids")
        owner = self._no("users", seed.owner_id) if seed.owner_id else None
        no = self._put("projects", {**row, "client": self._no("clients", seed.client_id), "owner": owner})
        tasks = self._all("tasks", seed.account_id) if seed.task_ids is None else self._nos("tasks", seed.task_ids)
        for task in tasks:
            self._assign("project_tasks", "task", task, [no])
        for user in self._nos("users", seed.user_ids):
            self._assign("project_users", "user", user, [no])

    def user(self, seed: UserSeed) -> None:
        row = self._row(seed, "keys", "project_ids")
        row.update(email=seed.email or f"{seed.id}@example.com", first_name=seed.first_name or seed.id)
        no = self._put("users", {**row, "has_access_to_all_future_projects": seed.project_ids is None})
        for key in seed.keys:
            values = (key.key, no, key.kind)
            self._db.execute("INSERT OR REPLACE INTO api_keys (key, user, kind) VALUES (?, ?, ?)", values)

    def assign(self, seed: UserSeed) -> None:
        projects = self._nos("projects", seed.project_ids or [])
        self._assign("project_users", "user", self._no("users", seed.id), projects)

    def entry(self, seed: EntrySeed) -> None:
        row = self._row(seed, "user_id", "project_id", "task_id")
        project, task = self._find("projects", seed.project_id), self._find("tasks", seed.task_id)
        user = self._find("users", seed.user_id)
        rates = (project["hourly_rate"], task["default_hourly_rate"], user["default_hourly_rate"])
        billable = bool(project["is_billable"]) if seed.billable is None else seed.billable
        row.update(
            user=user["no"],
            client=project["client"],
            project=project["no"],
            task=task["no"],
            billable=billable,
            budgeted=project["budget_by"].lower() != "none",
            billable_rate=next((rate for rate in rates if rate is not None), None) if billable else None,
            cost_rate=user["cost_rate"],
            duration_seconds=seconds_of(seed.hours),
            metadata=metadata.dump(seed.metadata),
        )
        if seed.is_running:
            row["timer_started_at"] = seed.timer_started_at or self._stamp
        self._put("time_entries", row)

    def expense(self, seed: ExpenseSeed) -> None:
        row = self._row(seed, "user_id", "project_id", "expense_category_id")
        project = self._find("projects", seed.project_id)
        row.update(
            user=self._no("users", seed.user_id),
            client=project["client"],
            project=project["no"],
            category=self._no("expense_categories", seed.expense_category_id),
            metadata=metadata.dump(seed.metadata),
        )
        self._put("expenses", row)

    def invoice(self, seed: InvoiceSeed) -> None:
        row = self._row(seed, "user_id", "client_id", "line_items")
        client, creator = self._no("clients", seed.client_id), self._no("users", seed.user_id)
        row.update(client=client, creator=creator, due_date=seed.due_date or seed.issue_date)
        no = self._put("invoices", row)
        self._db.execute("DELETE FROM invoice_lines WHERE invoice = ?", (no,))
        for line in seed.line_items:
            insert(self._db, "invoice_lines", {**line.model_dump(), "id": new_id(), "invoice": no})

    def _row(self, seed: Seed, *references: str) -> dict[str, Any]:
        row = seed.model_dump(exclude={"account_id", *references})
        for name in ("created_at", "updated_at"):
            if name in row:
                row[name] = row[name] or row["created_at"] or self._stamp
        if "name" in row:
            row["name"] = row["name"] or seed.id
        return {**row, "company": self._no("companies", seed.account_id)}

    def _put(self, table: str, row: Mapping[str, Any]) -> int:
        found = self._db.execute(f"SELECT no FROM {table} WHERE id = ?", (row["id"],)).fetchone()  # noqa: S608
        if found is None:
            return insert(self._db, table, row)
        update(self._db, table, found["no"], row)
        return int(found["no"])

    def _look_up(self, table: str, id_: str) -> Row:
        row: Optional[Row] = self._db.execute(f"SELECT * FROM {table} WHERE id = ?", (id_,)).fetchone()  # noqa: S608
        if row is None:
            raise bad_request(f"{id_} is not in {table}: put it into the seed too")
        return row

    def _no(self, table: str, id_: str) -> int:
        return int(self._find(table, id_)["no"])

    def _nos(self, table: str, ids: list[str]) -> list[int]:
        return [self._no(table, id_) for id_ in ids]

    def _all(self, table: str, account_id: str) -> list[int]:
        company = self._no("companies", account_id)
        return [no for (no,) in self._db.execute(f"SELECT no FROM {table} WHERE company = ?", (company,))]  # noqa: S608

    def _projects(self, account_id: str, ids: Optional[list[str]]) -> list[int]:
        return self._all("projects", account_id) if ids is None else self._nos("projects", ids)

    def _assign(self, table: str, column: str, no: int, projects: list[int]) -> None:
        statement = f"INSERT OR IGNORE INTO {table} (project, {column}) VALUES (?, ?)"  # noqa: S608
        self._db.executemany(statement, [(project, no) for project in projects])
