"""Reports: aggregates over many entries."""

from typing import Optional

from keito.types.common import Model


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
