"""Which records a run gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Post:
    """Which records a run gives: each on or off.

    Args:
        time: Its time entry.
        outcomes: Its outcomes.
        expense: What its model calls cost.
        billable: `False`: the time entry is posted as not billable. `True`: as the policy says.
    """

    time: bool = True
    outcomes: bool = True
    expense: bool = True
    billable: bool = True

    def __and__(self, other: Post) -> Post:
        """Only what both allow."""
        return Post(
            time=self.time and other.time,
            outcomes=self.outcomes and other.outcomes,
            expense=self.expense and other.expense,
            billable=self.billable and other.billable,
        )


EVERYTHING = Post()
"""What a completed run gives by default."""

UNFINISHED = Post(outcomes=False, billable=False)
"""What a failed, cancelled or abandoned run gives by default: its cost, and its time as not billable."""
