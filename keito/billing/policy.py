"""Where the work of an agent is billed to, and how."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Optional
from zoneinfo import ZoneInfo

from typing_extensions import TypedDict, Unpack

from keito.metering import Outcome

_VARIABLES = {
    "project_id": "KEITO_PROJECT_ID",
    "task_id": "KEITO_TASK_ID",
    "expense_category_id": "KEITO_EXPENSE_CATEGORY_ID",
    "agent_id": "KEITO_AGENT_ID",
    "user_id": "KEITO_USER_ID",
    "billable": "KEITO_BILLABLE",
    "timezone": "KEITO_TIMEZONE",
}
_REQUIRED = ("project_id", "task_id")
_YES_AND_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class PolicyFields(TypedDict, total=False):
    """The fields of `BillingPolicy` as keyword arguments."""

    project_id: str
    task_id: str
    expense_category_id: Optional[str]
    agent_id: Optional[str]
    user_id: Optional[str]
    billable: Optional[bool]
    timezone: Optional[str]
    outcome: Optional[Outcome]


@dataclass(frozen=True)
class BillingPolicy:
    """Where the work of an agent is billed to, and how.

    Args:
        project_id: The project of time entries, outcomes and expenses.
        task_id: The task of time entries and outcomes.
        expense_category_id: The category of LLM expenses, such as "LLM Usage". Without it the cost is only metadata.
        agent_id: Names the agent in the metadata.
        user_id: Whose time it is; by default the user of the API key.
        billable: Whether time and expenses are billable; by default Keito decides by project and task.
        timezone: The zone that decides which day a run belongs to, such as "Europe/Berlin". It should be the
            workspace's, whose days `spent_date` means; by default it is this machine's.
        outcome: Logged once for each run that completes.

    Raises:
        ValueError: A field is missing or wrong; the message says which, and which variable sets it.
    """

    project_id: str = ""
    task_id: str = ""
    expense_category_id: Optional[str] = None
    agent_id: Optional[str] = None
    user_id: Optional[str] = None
    billable: Optional[bool] = None
    timezone: Optional[str] = None
    outcome: Optional[Outcome] = None

    def __post_init__(self) -> None:
        for field in ("project_id", "task_id", "expense_category_id", "agent_id", "user_id"):
            _check_id(field, getattr(self, field))
        if self.billable is not None and not isinstance(self.billable, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise _wrong("billable", self.billable, "is true, false or not given")
        if self.outcome is not None and not isinstance(self.outcome, Outcome):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"outcome is a keito.billing.Outcome; got {self.outcome!r}")
        _ = self.zone

    @property
    def zone(self) -> Optional[tzinfo]:
        """The time zone of `timezone`, or `None` for the machine's."""
        if self.timezone is None:
            return None
        try:
            return ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            known = 'is a name such as "Europe/Berlin" (where no zones are installed: pip install tzdata)'
            raise _wrong("timezone", self.timezone, known) from None

    @classmethod
    def from_env(cls, **fields: Unpack[PolicyFields]) -> BillingPolicy:
        """The policy that the environment describes; what is given here wins over it.

        It reads `KEITO_PROJECT_ID`, `KEITO_TASK_ID`, `KEITO_EXPENSE_CATEGORY_ID`, `KEITO_AGENT_ID`,
        `KEITO_USER_ID`, `KEITO_BILLABLE` and `KEITO_TIMEZONE`.

        Raises:
            ValueError: A field is missing or wrong; the message says which, and which variable sets it.
        """
        values: dict[str, Any] = {**_from(os.environ), **fields}
        return cls(**values)


def _from(environment: Mapping[str, str]) -> dict[str, Any]:
    found = {field: environment[name].strip() for field, name in _VARIABLES.items() if environment.get(name)}
    values: dict[str, Any] = {**found}
    if "billable" in found:
        values["billable"] = _YES_AND_NO.get(found["billable"].lower(), found["billable"])
    return values


def _check_id(field: str, value: object) -> None:
    if field in _REQUIRED and not value:
        raise ValueError(f"{field} is not set: pass {field}=... or set {_VARIABLES[field]}")
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise _wrong(field, value, "is an id of Keito, a text")


def _wrong(field: str, value: object, rule: str) -> ValueError:
    return ValueError(f"{field} {rule}; got {value!r} (set {field}=... or {_VARIABLES[field]})")
