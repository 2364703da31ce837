"""Every decision that the API's documents leave open, in one place.

`docs/sandbox.md` lists the same decisions for users; a test compares the two, so a decision that is
added or dropped here has to be added or dropped there. The real server may differ in each of them:
a program must not rely on one.
"""

from __future__ import annotations

from types import MappingProxyType

METADATA_MAX_BYTES = 4096
"""The documented limit. It is applied to the merged result, as compact UTF-8 JSON."""

MAX_BODY_BYTES = 1024 * 1024
"""A request body above this is answered with 413."""

MAX_CONTROL_BODY_BYTES = 256 * 1024 * 1024
"""The same for the control routes: a seed may hold a whole workspace."""

MAX_AMOUNT = 1_000_000_000
"""Largest quantity, price, rate or cost that is accepted, so that sums stay exact."""

MAX_PAGE = 1_000_000_000
"""The highest `page` that is read as a number."""

TIMER_HOURS_DIGITS = 2
"""`hours` of a stopped timer is rounded to this many decimals; `duration_seconds` stays exact."""

MAX_HOURS = 24
"""A timer that ran longer than a day stops at 24 hours, the documented limit of an entry."""

MAX_REPORT_DAYS = 365
"""The report's `to` may be at most this many days after `from`."""

RATE_LIMIT_WINDOW_SECONDS = 60
"""The rate limit counts the requests of a key in fixed windows of this length."""

IDEMPOTENCY_KEY_MAX_LENGTH = 255
"""A longer `Idempotency-Key` is answered with 400."""

DECISIONS = MappingProxyType(
    {
        "metadata-merge": "PATCH merges at the top level only: a nested object replaces the stored one.",
        "metadata-limit": "The 4,096 bytes apply to the merged result, as compact UTF-8 JSON; beyond: 400.",
        "idempotency": (
            "A key belongs to a user and is kept until a reset. The same method, path and body replay the first "
            "2xx answer (with `Idempotent-Replayed: true`); anything else under the key is a 409. "
            "Refusals are not kept."
        ),
        "idempotency-header": "`X-Idempotency-Key` is read too when `Idempotency-Key` is absent.",
        "validation-errors": (
            "400 with the first problem, named after the field: `hours should be ...`, `x is not a known field`."
        ),
        "null": "null is accepted where the stored field can be null and means not set; elsewhere it is a 400.",
        "strict-json": (
            "Numbers are not read from strings, booleans are not numbers; NaN, Infinity and a doubled key are a 400."
        ),
        "unknown-query": "Unknown query parameters are ignored; unusable values of known ones are a 400.",
        "query-dates": "`from` and `to` are read as `YYYY-MM-DD` and as `YYYYMMDD` everywhere.",
        "naive-times": "`updated_since` without an offset is UTC.",
        "body-size": "A request body above 1 MiB is a 413.",
        "amounts": "Amounts, rates and quantities above 1,000,000,000 are a 400; percentages lie in 0 to 100.",
        "credentials": (
            "No key, an unknown one and that of an inactive user are a 401; an account that is not the key's is a 403."
        ),
        "content-type": "The body is read as JSON whatever its Content-Type says.",
        "text-lengths": "Ids and names have 1 to 255 characters; notes and the like are limited by the body only.",
        "unknown-references": "An unknown id is a 404 in a body and matches nothing in a filter.",
        "ordering": "Entries and expenses by spent_date, invoices by issue_date, all else by creation; newest first.",
        "page-beyond-last": "A page beyond the last is empty, and `previous` leads to the last page.",
        "locked-order": "Delete of an approved entry is a 409, even when it is locked; locked or billed is a 403.",
        "update-read-only": "PATCH, stop and restart of a locked, approved or billed entry are a 403.",
        "hours-and-times": (
            "`hours` wins when it is sent with both times. Without it, both times give the hours; "
            "one of them alone, or none, gives 0."
        ),
        "cross-midnight": "An `ended_time` before `started_time` lies on the next day.",
        "workspace": (
            "The demo workspace is in UTC and USD, without past timer starts and with expenses in the future."
        ),
        "future-dates": "Entries may lie in the future, timers may not. Expenses follow a setting of the company.",
        "past-timers": "A timer on an earlier day or with an earlier started_time needs `allow_past_timer_starts`.",
        "timer-fields": "A new timer takes neither hours above 0 nor ended_time; a running entry's hours are fixed.",
        "timer-hours": (
            "While a timer runs, `hours` holds what was worked before it started. "
            "When it stops, the hours are rounded to 2 decimals and end at 24."
        ),
        "restart-day": "An entry of any day can be restarted; one that is running already is a 409.",
        "rounding": (
            "With `up_15` the stored `hours` are rounded up to the quarter, also when they were typed in; "
            "`rounded_hours` is equal to them and `duration_seconds` stays exact."
        ),
        "inactive": "A new record on an inactive project, task, category or client is a 400.",
        "assignment": (
            "A task that is not the project's is a 400; a user who is not the project's is a 403. "
            "Administrators and users with access to all projects belong to every project."
        ),
        "managers": "A manager has every optional permission and manages the whole company.",
        "foreign-entries": "A member's list holds own records whatever user_id says; touching another's is a 403.",
        "member-reads": "Members get 403 on clients, contacts and invoices, and an empty client name on projects.",
        "sync-key": "A read-only sync key reads users/me, clients, projects and own time entries; all else is a 403.",
        "billable-default": "Billable unless project or task are not; an expense follows its project.",
        "rates": "billable_rate is the project's, else the task's, else the user's; null when not billable.",
        "expense-units": "`units` without total_cost is priced at the category's unit price, 0 where it has none.",
        "project-defaults": "A project without task_ids gets the default tasks; its creator is assigned to it.",
        "bill-by": "bill_by and budget_by are free texts, kept as they were sent; `none` when absent.",
        "client-update": "PATCH of a client needs no name.",
        "invoice-sums": (
            "Lines are rounded to cents, the discount comes off the subtotal, the taxes apply to the taxed lines "
            "after the discount; each amount is rounded half up to cents."
        ),
        "invoice-paid": "Paid and closed invoices owe nothing: due_amount is 0.",
        "invoice-defaults": "Tax and discount come from the request only. Currency comes from the client.",
        "invoice-number": "`INV-{year of issue_date}-{4 digits}`, counted per year; a deleted number is not reused.",
        "invoice-due": "due_date follows payment_term unless sent; `custom` takes it or the client's payment_days.",
        "invoice-edit": "PATCH and DELETE of an invoice that is not a draft are a 403.",
        "invoice-resend": "Any message opens a draft; open, paid and closed invoices keep their state.",
        "report-range": "`to` may be 365 days after `from`; a `from` after `to` is a 400.",
        "report-rows": "One row per user who has time in the range, by name; a running timer counts its stored hours.",
    }
)
"""What `docs/sandbox.md` says under the same names."""
