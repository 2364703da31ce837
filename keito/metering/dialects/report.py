"""What the answer to a model call reports about the call."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple, Optional

from keito.metering.call import NoUsage
from keito.metering.usage import Usage


class Report(NamedTuple):
    """What an answer says about its call, as far as it does.

    Attributes:
        usage: The counted tokens; `None` if none were reported.
        model: The served model.
        tier: The service tier, or whatever else changes the rates.
        response_id: The provider's id of the answer.
        reported_cost: What the provider says that the call cost, in US dollars.
        provider: Who served it, where the answer names it.
        requested_model: The name that the program gave, where the answer repeats it.
        operation: What was asked for, as OpenTelemetry names it.
    """

    usage: Optional[Usage] = None
    model: Optional[str] = None
    tier: Optional[str] = None
    response_id: Optional[str] = None
    reported_cost: Optional[Decimal] = None
    provider: Optional[str] = None
    requested_model: Optional[str] = None
    operation: str = "chat"

    @property
    def no_usage(self) -> Optional[NoUsage]:
        """Why there is no usage, if there is none."""
        return NoUsage.NOT_REPORTED if self.usage is None else None


def joined(*parts: Optional[str]) -> Optional[str]:
    """One name for a tier that several things make; a price table that does not know the combination refuses it."""
    named = [part for part in parts if part]
    return "+".join(named) if named else None
