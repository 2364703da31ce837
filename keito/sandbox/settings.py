"""What can be changed while the sandbox runs."""

from __future__ import annotations

from typing import Literal, Optional

from pydantic import BaseModel, ConfigDict, Field

Rounding = Literal["none", "up_15"]


class Settings(BaseModel):
    """How the sandbox behaves beyond the API's rules.

    Attributes:
        idempotency: whether `Idempotency-Key` is honoured.
        rate_limit: requests per minute and key, or None for no limit.
        latency: seconds that each request waits before it is handled.
        rounding: the workspace's time rounding.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    idempotency: bool = True
    rate_limit: Optional[int] = Field(default=None, ge=1)
    latency: float = Field(default=0.0, ge=0, le=3600)
    rounding: Rounding = "none"
