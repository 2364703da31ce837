"""The error that stops an agent."""

from __future__ import annotations

from keito.core.errors import KeitoError


class KeitoBudgetExceeded(KeitoError):  # noqa: N818 - the name that programs catch
    """A budget that is to stop the agent is used up. It is raised before a model is called, never after.

    Attributes:
        limit: Which limit was reached, such as "calls 50 of 50".
        run_id: The run that is stopped.
    """

    def __init__(self, limit: str, run_id: str) -> None:
        super().__init__(limit, run_id)
        self.limit = limit
        self.run_id = run_id

    def __str__(self) -> str:
        return f"the budget of run {self.run_id} is used up: {self.limit}"
