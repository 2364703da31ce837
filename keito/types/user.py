"""Users: people and agents with an account."""

from datetime import datetime
from typing import Optional

from keito.types.common import IdName, Model, UserType


class User(Model):
    """A person or an agent. `weekly_capacity` is in seconds: 144000 are 40 hours."""

    id: str
    first_name: Optional[str] = None
    last_name: Optional[str] = None
    email: Optional[str] = None
    telephone: Optional[str] = None
    timezone: Optional[str] = None
    has_access_to_all_future_projects: Optional[bool] = None
    is_contractor: Optional[bool] = None
    is_active: Optional[bool] = None
    weekly_capacity: Optional[int] = None
    default_hourly_rate: Optional[float] = None
    cost_rate: Optional[float] = None
    currency: Optional[str] = None
    roles: Optional[list[str]] = None
    user_type: Optional[UserType] = None
    avatar_url: Optional[str] = None
    company: Optional[IdName] = None
    created_at: Optional[datetime] = None
    updated_at: Optional[datetime] = None
