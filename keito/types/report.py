"""Reports: aggregates over many entries."""

from datetime import date
from decimal import Decimal
from typing import Optional

from pydantic import BaseModel, ConfigDict
from typing_extensions import Literal

from keito.types.common import Model

Dimension = Literal["client", "project", "task", "user", "agent", "outcome_type", "currency", "day", "week", "month"]
"""What a summary can be divided by."""


class TeamTimeResult(Model):
    """One team member's time in a period. `weekly_capacity` is in seconds; money is in `currency`."""

    user_id: str
    user_name: Optional[str] = None
    is_contractor: Optional[bool] = None
    weekly_capacity: Optional[int] = None
    avatar_url: Optional[str] = None
    total_hours: Optional[float] = None
    billable_hours: Optional[float] = None
    currency: Optional[str] = None
    billable_amount: Optional[float] = None


class _Computed(BaseModel):
    """What keito has computed itself. All of it is there, and exact."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class AgentTime(_Computed):
    """The hours of agents, and what they are worth.

    Attributes:
        total_hours: Of all entries.
        billable_hours: Of those that the client pays for.
        revenue: Hours times rate of the billable ones. `None` where it is in several currencies, see `revenues`, or
            where nothing of it is known.
        revenues: The same by ISO code of the currency.
        unpriced: Entries with hours whose worth is not known: no rate or no currency, or it is not said whether they
            are billable. They are in no revenue.
        unpriced_hours: The hours of those.
        unmeasured: Entries whose hours are not known: timers that still run. They are in nothing else.
    """

    total_hours: Decimal
    billable_hours: Decimal
    revenue: Optional[Decimal]
    revenues: dict[str, Decimal]
    unpriced: int
    unpriced_hours: Decimal
    unmeasured: int


class AgentOutcomes(_Computed):
    """The outcomes of agents, and what they are worth. Nobody pays for a failed one.

    Attributes:
        total: All outcomes, each time entry counted once.
        successful: Those that were reached.
        failed: Those that were not. Of others it is not said.
        quantity: How many were reached: each successful outcome counts as often as its `outcome_quantity` says.
        revenue: Price times quantity of the successful, billable ones. `None` as for the time.
        revenues: The same by ISO code of the currency.
        unpriced: Outcomes whose worth is not known: no price or no currency, or it is not said whether they were
            reached or are billable. They are in no revenue.
    """

    total: int
    successful: int
    failed: int
    quantity: Decimal
    revenue: Optional[Decimal]
    revenues: dict[str, Decimal]
    unpriced: int


class AgentRevenue(_Computed):
    """What time and outcomes are worth together.

    Attributes:
        total_revenue: `None` where it is in several currencies, see `revenues`, or where nothing of it is known.
        revenues: The same by ISO code of the currency.
        unpriced: Entries and outcomes that are in no revenue, because their worth is not known.
    """

    total_revenue: Optional[Decimal]
    revenues: dict[str, Decimal]
    unpriced: int


class AgentTotals(_Computed):
    """Hours, outcomes and what both are worth."""

    time: AgentTime
    outcomes: AgentOutcomes
    combined: AgentRevenue


class AgentSummaryGroup(AgentTotals):
    """The part of a summary that is of one client, project, month or whatever it is divided by.

    Attributes:
        key: The value of each dimension, such as `{"client": "cli_acme", "month": "2026-03"}`. Clients, projects, tasks
            and users are ids; `None` stands for what has no such value, or none that is known.
        names: The names of the ids in `key`, as far as the reader may see them.
    """

    key: dict[str, Optional[str]]
    names: dict[str, str]


class AgentSummary(AgentTotals):
    """What agents did in a period.

    Attributes:
        from_date: First day.
        to_date: Last day.
        entries: Time entries that were counted, outcomes included.
        changed: Whether entries came or went while they were read. One of them may be missing then: read again.
        groups: The parts, if it was asked for some; all entries are in exactly one of them.
    """

    from_date: date
    to_date: date
    entries: int
    changed: bool
    groups: list[AgentSummaryGroup]
