"""The team time report."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from keito.sandbox.choices import MAX_REPORT_DAYS
from keito.sandbox.context import Context, Json, Row
from keito.sandbox.errors import bad_request
from keito.sandbox.filters import ReportFilter
from keito.sandbox.numbers import cents, decimal, number
from keito.sandbox.paging import envelope
from keito.sandbox.people import full_name

# Equal rows are counted by SQLite and multiplied in Decimal: exact, without carrying each entry into Python.
ROWS = """
SELECT user, billable, billable_rate, hours, COUNT(*) AS times FROM time_entries
WHERE company = ? AND spent_date BETWEEN ? AND ? GROUP BY user, billable, billable_rate, hours
"""


def team_time(ctx: Context, query: ReportFilter) -> Json:
    """What each user worked in the range, by name."""
    ctx.refuse_sync_key()
    ctx.require_manager()
    _check_range(query)
    totals: dict[int, _Total] = {}
    for row in ctx.db.execute(ROWS, (ctx.company, query.since, query.to)):
        totals.setdefault(row["user"], _Total()).add(row)
    users = [ctx.db.execute("SELECT * FROM users WHERE no = ?", (no,)).fetchone() for no in totals]
    users.sort(key=lambda user: (full_name(user), user["no"]))
    first = (query.page - 1) * query.per_page
    results = [_result(ctx, user, totals[user["no"]]) for user in users[first : first + query.per_page]]
    return envelope("results", results, len(users), query, "/reports/time/team")


def _check_range(query: ReportFilter) -> None:
    days = (date.fromisoformat(query.to) - date.fromisoformat(query.since)).days
    if days < 0:
        raise bad_request("from is after to")
    if days > MAX_REPORT_DAYS:
        raise bad_request(f"Date range cannot exceed {MAX_REPORT_DAYS} days")


class _Total:
    """What one user worked."""

    def __init__(self) -> None:
        self.hours = self.billable_hours = self.amount = Decimal(0)

    def add(self, row: Row) -> None:
        hours = decimal(row["hours"]) * row["times"]
        self.hours += hours
        if row["billable"]:
            self.billable_hours += hours
            self.amount += hours * decimal(row["billable_rate"] or 0)


def _result(ctx: Context, user: Row, total: _Total) -> Json:
    return {
        "user_id": user["id"],
        "user_name": full_name(user),
        "is_contractor": bool(user["is_contractor"]),
        "weekly_capacity": user["weekly_capacity"],
        "avatar_url": user["avatar_url"],
        "total_hours": number(total.hours),
        "billable_hours": number(total.billable_hours),
        "currency": ctx.caller.company["currency"],
        "billable_amount": number(cents(total.amount)),
    }
