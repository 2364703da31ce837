"""The tables of a sandbox database.

Rows refer to each other by number (`no`) and not by their public id: the indexes behind the lists hold every
filterable column, so that any filters are answered from one of them alone, and with numbers they stay small enough
to be scanned in a few milliseconds at 100,000 entries.
"""

from __future__ import annotations

SCHEMA_VERSION = 1

TABLES = """
CREATE TABLE companies (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, currency TEXT NOT NULL, timezone TEXT NOT NULL,
  allow_past_timer_starts INTEGER NOT NULL, allow_future_expense_dates INTEGER NOT NULL);

CREATE TABLE users (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, company INTEGER NOT NULL, first_name TEXT, last_name TEXT,
  email TEXT NOT NULL, telephone TEXT, timezone TEXT NOT NULL, has_access_to_all_future_projects INTEGER NOT NULL,
  is_contractor INTEGER NOT NULL, is_active INTEGER NOT NULL, weekly_capacity INTEGER NOT NULL,
  default_hourly_rate REAL, cost_rate REAL, role TEXT NOT NULL, user_type TEXT NOT NULL, avatar_url TEXT,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL);

CREATE TABLE api_keys (key TEXT PRIMARY KEY, user INTEGER NOT NULL, kind TEXT NOT NULL);

CREATE TABLE clients (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, company INTEGER NOT NULL, name TEXT NOT NULL, address TEXT,
  currency TEXT NOT NULL, is_active INTEGER NOT NULL, payment_terms TEXT NOT NULL, payment_days INTEGER,
  tax REAL, tax2 REAL, discount REAL, statement_key TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);

CREATE TABLE contacts (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, company INTEGER NOT NULL, client INTEGER NOT NULL,
  first_name TEXT NOT NULL, last_name TEXT, title TEXT, email TEXT, phone_office TEXT, phone_mobile TEXT, fax TEXT,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL);

CREATE TABLE tasks (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, company INTEGER NOT NULL, name TEXT NOT NULL,
  billable_by_default INTEGER NOT NULL, default_hourly_rate REAL, is_default INTEGER NOT NULL,
  is_active INTEGER NOT NULL, parent_task_id TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);

CREATE TABLE expense_categories (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, company INTEGER NOT NULL, name TEXT NOT NULL, unit_price REAL,
  is_active INTEGER NOT NULL);

CREATE TABLE projects (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, company INTEGER NOT NULL, client INTEGER NOT NULL,
  owner INTEGER, name TEXT NOT NULL, code TEXT, is_active INTEGER NOT NULL, is_billable INTEGER NOT NULL,
  is_fixed_fee INTEGER NOT NULL, bill_by TEXT NOT NULL, hourly_rate REAL, fee REAL, budget_by TEXT NOT NULL,
  budget REAL, budget_is_monthly INTEGER NOT NULL, notify_when_over_budget INTEGER NOT NULL,
  over_budget_notification_percentage REAL, show_budget_to_all INTEGER NOT NULL, cost_budget REAL,
  cost_budget_include_expenses INTEGER NOT NULL, starts_on TEXT, ends_on TEXT, notes TEXT,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE UNIQUE INDEX projects_code ON projects (company, code) WHERE code IS NOT NULL;
CREATE TABLE project_tasks (project INTEGER NOT NULL, task INTEGER NOT NULL, PRIMARY KEY (project, task));
CREATE TABLE project_users (project INTEGER NOT NULL, user INTEGER NOT NULL, PRIMARY KEY (project, user));

CREATE TABLE time_entries (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, company INTEGER NOT NULL, user INTEGER NOT NULL,
  client INTEGER NOT NULL, project INTEGER NOT NULL, task INTEGER NOT NULL, spent_date TEXT NOT NULL,
  hours REAL NOT NULL, duration_seconds INTEGER NOT NULL, notes TEXT, is_running INTEGER NOT NULL,
  timer_started_at TEXT, started_time TEXT, ended_time TEXT, is_locked INTEGER NOT NULL, is_closed INTEGER NOT NULL,
  is_billed INTEGER NOT NULL, billable INTEGER NOT NULL, budgeted INTEGER NOT NULL, billable_rate REAL, cost_rate REAL,
  source TEXT NOT NULL, metadata TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX time_entries_running ON time_entries (user) WHERE is_running = 1;

CREATE TABLE expenses (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, company INTEGER NOT NULL, user INTEGER NOT NULL,
  client INTEGER NOT NULL, project INTEGER NOT NULL, category INTEGER NOT NULL, spent_date TEXT NOT NULL,
  total_cost REAL NOT NULL, units INTEGER, notes TEXT, billable INTEGER NOT NULL, is_locked INTEGER NOT NULL,
  is_billed INTEGER NOT NULL, approval_status TEXT NOT NULL, source TEXT NOT NULL, metadata TEXT,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX expenses_list ON expenses (company, spent_date DESC, no DESC, user, client, project, is_billed, source,
  updated_at);

CREATE TABLE invoices (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, company INTEGER NOT NULL, client INTEGER NOT NULL,
  creator INTEGER NOT NULL, number TEXT NOT NULL, purchase_order TEXT, subject TEXT, state TEXT NOT NULL,
  tax REAL, tax2 REAL, discount REAL, currency TEXT NOT NULL, issue_date TEXT NOT NULL, due_date TEXT NOT NULL,
  payment_term TEXT NOT NULL, notes TEXT, period_start TEXT, period_end TEXT, sent_at TEXT, paid_at TEXT,
  closed_at TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX invoices_list ON invoices (company, issue_date DESC, no DESC, client, state, updated_at);
CREATE TABLE invoice_lines (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, invoice INTEGER NOT NULL, kind TEXT NOT NULL, description TEXT,
  quantity REAL NOT NULL, unit_price REAL NOT NULL, taxed INTEGER NOT NULL, taxed2 INTEGER NOT NULL, project_id TEXT);
CREATE INDEX invoice_lines_of ON invoice_lines (invoice);
CREATE TABLE invoice_numbers (
  company INTEGER NOT NULL, year INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (company, year));
CREATE TABLE invoice_messages (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, company INTEGER NOT NULL, invoice INTEGER NOT NULL, sent_by TEXT,
  sent_by_email TEXT, sent_from TEXT, sent_from_email TEXT, recipients TEXT NOT NULL, subject TEXT, body TEXT,
  attach_pdf INTEGER NOT NULL, send_me_a_copy INTEGER NOT NULL, event_type TEXT NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX invoice_messages_of ON invoice_messages (invoice);

CREATE TABLE idempotency_keys (
  user INTEGER NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (user, key));
"""

_ENTRY_FILTERS = ("user", "client", "project", "task", "is_billed", "is_running", "source", "updated_at")
_EQUAL_FILTERS = ", ".join(_ENTRY_FILTERS[:-1])


def _entry_index(first: str = "") -> str:
    """The index that serves a list of entries, those with one value of `first` where it is given."""
    others = [name for name in _ENTRY_FILTERS if name != first]
    columns = ["company", *([first] if first else []), "spent_date DESC", "no DESC", *others]
    return f"CREATE INDEX time_entries_by_{first or 'day'} ON time_entries ({', '.join(columns)})"


# One index per filter costs each write some microseconds and saves each read a scan of the whole workspace.
# That of changes is there for counting: it selects a range, which is not in the order of the list.
INDEXES = [
    _entry_index(),
    *(_entry_index(name) for name in _ENTRY_FILTERS[:-1]),
    f"CREATE INDEX time_entries_by_change ON time_entries (company, updated_at, spent_date, {_EQUAL_FILTERS})",
]
