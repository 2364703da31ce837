"""Users, as other records show them and as /users/me shows the caller."""

from __future__ import annotations

from keito.sandbox.context import ROLES, Context, Json, Row
from keito.sandbox.numbers import number

READABLE_BY_SYNC_KEY = ("own_time_entries", "users", "own_profile", "clients", "projects")


def full_name(row: Row) -> str:
    """First and last name, as far as they are known."""
    return " ".join(name for name in (row["first_name"], row["last_name"]) if name)


def me(ctx: Context) -> Json:
    """The caller; a sync key is not told the company and what kind of user it is."""
    user = ctx.caller.user
    profile = {**_person(user), "currency": ctx.caller.company["currency"], "capabilities": _capabilities(ctx)}
    if not ctx.caller.read_only:
        profile.update(user_type=user["user_type"], company=_company(ctx))
    return profile


def _person(user: Row) -> Json:
    return {
        "id": user["id"],
        "first_name": user["first_name"],
        "last_name": user["last_name"],
        "email": user["email"],
        "telephone": user["telephone"],
        "timezone": user["timezone"],
        "has_access_to_all_future_projects": bool(user["has_access_to_all_future_projects"]),
        "is_contractor": bool(user["is_contractor"]),
        "is_active": bool(user["is_active"]),
        "weekly_capacity": user["weekly_capacity"],
        "default_hourly_rate": number(user["default_hourly_rate"]),
        "cost_rate": number(user["cost_rate"]),
        "roles": roles(user["role"]),
        "membership_role": user["role"],
        "avatar_url": user["avatar_url"],
        "created_at": user["created_at"],
        "updated_at": user["updated_at"],
    }


def roles(role: str) -> list[str]:
    """The role and those that it includes, highest first."""
    return list(reversed(ROLES[: ROLES.index(role) + 1]))


def _company(ctx: Context) -> Json:
    company = ctx.caller.company
    return {
        "id": company["id"],
        "name": company["name"],
        "currency": company["currency"],
        "timezone": company["timezone"],
        "time_rounding": ctx.settings.rounding,
        "allow_past_timer_starts": bool(company["allow_past_timer_starts"]),
        "allow_future_expense_dates": bool(company["allow_future_expense_dates"]),
    }


def _capabilities(ctx: Context) -> Json:
    readable = {f"can_read_{name}": True for name in READABLE_BY_SYNC_KEY}
    if ctx.caller.read_only:
        return readable
    manager = ctx.caller.is_manager
    return {
        **readable,
        "can_read_clients": manager,
        "can_track_time": True,
        "can_track_expenses": True,
        "can_edit_time_billability": True,
        "can_create_field_clients": manager,
        "can_view_team_time": manager,
        "can_view_invoices": manager,
        "can_send_invoices": manager,
        "can_record_invoice_payments": False,
    }
