"""Where the work of an agent is billed to, and how."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from decimal import Decimal
from functools import lru_cache
from os import PathLike
from typing import Any, Callable, Optional, Union
from zoneinfo import ZoneInfo

from typing_extensions import Literal, TypedDict, Unpack

from keito.billing.budget import Budget
from keito.billing.policy_checks import (
    REQUIRED,
    budgets_of,
    check_choice,
    check_id,
    check_notes,
    check_type,
    markup_of,
    wrong,
)
from keito.billing.post import EVERYTHING, UNFINISHED, Post
from keito.billing.reading import from_environment, from_file
from keito.billing.rounding import Rounding
from keito.metering import AgentRun, Outcome, RunStatus
from keito.pricing import ExchangeRate, PriceTable

OutcomeOf = Callable[[AgentRun, Any], Union[Outcome, Iterable[Outcome], None]]
"""From a completed run and its result to what it achieved."""

_TEXTS = (*REQUIRED, "expense_category_id", "agent_id", "user_id", "session_id")
_TYPES: dict[str, type] = {
    "post": Post,
    "failed": Post,
    "cancelled": Post,
    "abandoned": Post,
    "exchange_rate": ExchangeRate,
    "prices": PriceTable,
}
_CHOICES: dict[str, tuple[Any, ...]] = {
    "expense_per": ("run", "model"),
    "rollup": (None, "hour", "day"),
    "cost_decimals": (0, 1, 2, 3, 4, 5, 6),
}


class PolicyFields(TypedDict, total=False):
    """The fields of `BillingPolicy` as keyword arguments."""

    project_id: str
    task_id: str
    expense_category_id: Optional[str]
    agent_id: Optional[str]
    user_id: Optional[str]
    billable: Optional[bool]
    timezone: Optional[str]
    outcome: Union[Outcome, OutcomeOf, None]
    session_id: Optional[str]
    notes: Optional[str]
    post: Post
    failed: Post
    cancelled: Post
    abandoned: Post
    rounding: str
    minimum_minutes: Union[int, Decimal]
    expense_per: Literal["run", "model"]
    cost_decimals: int
    markup: Union[Decimal, int, str]
    exchange_rate: Optional[ExchangeRate]
    prices: Optional[PriceTable]
    rollup: Optional[Literal["hour", "day"]]
    budget: Union[Budget, Sequence[Budget], None]


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
        outcome: Logged once for each run that completes, and not again for runs inside it that are billed by
            themselves; or a function that is called with the run and its result
            and gives one, several or none.
        session_id: Joins the runs that name no session of their own.
        notes: The text of time entries, such as "{name} for {tenant}: {calls} calls". Fields are `name`, `agent`,
            `session`, `trigger`, `status`, `models`, `calls`, `input_tokens`, `output_tokens`, `outcomes` and the
            run's attributes. What `run.set_notes` sets wins over it.
        post: Which records a run gives.
        failed: Which of them a run gives that failed.
        cancelled: The same for a run that was cancelled.
        abandoned: The same for a run of which nobody knows how it ended.
        rounding: How the hours of a run are rounded: "none", or "up_15", "nearest_6" and so on with steps of 1, 5,
            6, 10, 15 or 30 minutes.
        minimum_minutes: The least time that is posted for a run.
        expense_per: One expense for each "run", or one for each "model" of it.
        cost_decimals: To how many decimals expenses are posted, 0 to 6; the exact cost is always in the metadata.
        markup: What costs are multiplied with, such as `Decimal("1.20")`.
        exchange_rate: The currency that expenses are posted in, and its rate.
        prices: The user's own prices.
        rollup: Make one time entry and one expense of all runs of an "hour" or a "day".
        budget: What a run may spend; one or several.

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
    outcome: Union[Outcome, OutcomeOf, None] = None
    session_id: Optional[str] = None
    notes: Optional[str] = None
    post: Post = EVERYTHING
    failed: Post = UNFINISHED
    cancelled: Post = UNFINISHED
    abandoned: Post = UNFINISHED
    rounding: str = "none"
    minimum_minutes: Union[int, Decimal] = 0
    expense_per: Literal["run", "model"] = "run"
    cost_decimals: int = 6
    markup: Union[Decimal, int, str] = Decimal(1)
    exchange_rate: Optional[ExchangeRate] = None
    prices: Optional[PriceTable] = None
    rollup: Optional[Literal["hour", "day"]] = None
    budget: Union[Budget, Sequence[Budget], None] = None

    def __post_init__(self) -> None:
        for field in _TEXTS:
            check_id(field, getattr(self, field))
        if self.billable is not None and not isinstance(self.billable, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise wrong("billable", self.billable, "is true, false or not given")
        if not (self.outcome is None or isinstance(self.outcome, Outcome) or callable(self.outcome)):
            raise ValueError(f"outcome is a keito.billing.Outcome or a function; got {self.outcome!r}")
        for field, kind in _TYPES.items():
            check_type(field, getattr(self, field), kind)
        for field, choices in _CHOICES.items():
            check_choice(field, getattr(self, field), choices)
        check_notes(self.notes)
        object.__setattr__(self, "markup", markup_of(self.markup))
        object.__setattr__(self, "budget", budgets_of(self.budget))
        _ = self.zone, self.hours_rounding

    @property
    def zone(self) -> Optional[tzinfo]:
        """The time zone of `timezone`, or `None` for the machine's."""
        if self.timezone is None:
            return None
        try:
            return ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            known = 'is a name such as "Europe/Berlin" (where no zones are installed: pip install tzdata)'
            raise wrong("timezone", self.timezone, known) from None

    @property
    def hours_rounding(self) -> Rounding:
        """`rounding` and `minimum_minutes`, read."""
        try:
            return _rounding(self.rounding, self.minimum_minutes)
        except (ValueError, ArithmeticError, AttributeError, TypeError):
            raise ValueError(
                'rounding is "none", "up_15", "nearest_6" and so on, with 1, 5, 6, 10, 15 or 30 minutes, and '
                f"minimum_minutes 0 to 1,440; got {self.rounding!r} and {self.minimum_minutes!r}"
            ) from None

    @property
    def markup_factor(self) -> Decimal:
        """`markup` as a number."""
        return Decimal(self.markup)

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """`budget` as a tuple."""
        return () if self.budget is None else budgets_of(self.budget)

    def post_after(self, status: RunStatus) -> Post:
        """Which records a run gives that ended so."""
        ends = {
            RunStatus.FAILED: self.failed,
            RunStatus.CANCELLED: self.cancelled,
            RunStatus.ABANDONED: self.abandoned,
        }
        return self.post & ends.get(status, EVERYTHING)

    def bills_outcomes(self, run: AgentRun) -> bool:
        """Whether the outcomes of an ended run are billed."""
        return self.post_after(run.status).outcomes

    def routed(self, run: AgentRun) -> BillingPolicy:
        """This policy, for the project and task that the run names itself."""
        if run.project_id is None and run.task_id is None:
            return self
        return replace(self, project_id=run.project_id or self.project_id, task_id=run.task_id or self.task_id)

    @classmethod
    def from_env(cls, **fields: Unpack[PolicyFields]) -> BillingPolicy:
        """The policy that the environment describes; what is given here wins over it.

        It reads `KEITO_PROJECT_ID`, `KEITO_TASK_ID`, `KEITO_EXPENSE_CATEGORY_ID`, `KEITO_AGENT_ID`,
        `KEITO_USER_ID`, `KEITO_BILLABLE` and `KEITO_TIMEZONE`.

        Raises:
            ValueError: A field is missing or wrong; the message says which, and which variable sets it.
        """
        values: dict[str, Any] = {**from_environment(os.environ), **fields}
        return cls(**values)

    @classmethod
    def from_toml(cls, path: Union[str, PathLike[str]], **fields: Unpack[PolicyFields]) -> BillingPolicy:
        """The policy of the table `[billing]` in a TOML file; what is given here wins over it.

        Its keys are the fields of the policy. `post`, `failed`, `cancelled`, `abandoned`, `outcome`, `exchange_rate`
        and `budget` are tables, `budget` also an array of tables; `prices` is the path of a price table, TOML or
        JSON, relative to the file. Amounts may be numbers or texts: both are exact.

        Raises:
            ValueError: The file is no TOML, has no such table, or a field of it is missing or wrong.
            OSError: The file cannot be read.
            ImportError: Python is older than 3.11 and `tomli` is missing.
        """
        values: dict[str, Any] = {**from_file(path), **fields}
        unknown = sorted(values.keys() - cls.__dataclass_fields__.keys())
        if unknown:
            raise ValueError(f"{path}: [billing] has no field {', '.join(unknown)}")
        return cls(**values)


_rounding = lru_cache(maxsize=64)(Rounding.parse)
