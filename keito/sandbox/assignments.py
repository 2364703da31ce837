"""Who may work on what: users and tasks are assigned to projects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from keito.sandbox.context import Context, Row
from keito.sandbox.errors import bad_request, forbidden


def check_user(ctx: Context, user_id: Optional[str]) -> Row:
    """The user for whom a record is made: the caller, or for managers another one of the company."""
    if user_id is None or user_id == ctx.caller.user["id"]:
        return ctx.caller.user
    if not ctx.caller.is_manager:
        raise forbidden("You can only create time entries for yourself")
    return ctx.find_active("users", user_id, "user_id")


def find_project(ctx: Context, user: Row, project_id: str) -> Row:
    """An active project to which the user is assigned."""
    project = ctx.find_active("projects", project_id, "project_id")
    if not belongs(ctx, user, project["no"]):
        raise forbidden("The user is not assigned to this project")
    return project


def belongs(ctx: Context, user: Row, project: int) -> bool:
    """Whether the user may work on the project."""
    if user["role"] == "administrator" or user["has_access_to_all_future_projects"]:
        return True
    statement = "SELECT 1 FROM project_users WHERE project = ? AND user = ?"
    return ctx.db.execute(statement, (project, user["no"])).fetchone() is not None


@dataclass(frozen=True)
class Work:
    """A project and a task of it."""

    project: Row
    task: Row

    @classmethod
    def find(cls, ctx: Context, user: Row, project_id: str, task_id: str) -> Work:
        """The project and task on which the user may work."""
        project = find_project(ctx, user, project_id)
        task = ctx.find_active("tasks", task_id, "task_id")
        statement = "SELECT 1 FROM project_tasks WHERE project = ? AND task = ?"
        if ctx.db.execute(statement, (project["no"], task["no"])).fetchone() is None:
            raise bad_request("task_id is not assigned to this project")
        return cls(project, task)

    def columns(self, user: Row, billable: Optional[bool]) -> dict[str, Any]:
        """What an entry takes over from them; `billable` is the caller's wish, if any."""
        if billable is None:
            billable = bool(self.project["is_billable"] and self.task["billable_by_default"])
        return {
            "client": self.project["client"],
            "project": self.project["no"],
            "task": self.task["no"],
            "billable": billable,
            "budgeted": self.project["budget_by"].lower() != "none",
            "billable_rate": self._rate(user) if billable else None,
            "cost_rate": user["cost_rate"],
        }

    def _rate(self, user: Row) -> Optional[float]:
        rates = (self.project["hourly_rate"], self.task["default_hourly_rate"], user["default_hourly_rate"])
        return next((rate for rate in rates if rate is not None), None)
