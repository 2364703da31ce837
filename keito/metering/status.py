"""How a run stands."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Optional


class RunStatus(str, Enum):
    """How a run stands.

    `PAUSED` waits for a person and goes on as another run. `ABANDONED` never said that it ended: its process is gone,
    or nobody waits for it any more.
    """

    OPEN = "open"
    COMPLETED = "completed"
    PAUSED = "paused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"

    def __str__(self) -> str:
        return self.value

    @property
    def is_billable(self) -> bool:
        """Whether the work was worth something: a paused run waits for a person, and goes on as another run."""
        return self in (RunStatus.COMPLETED, RunStatus.PAUSED)

    @classmethod
    def after(cls, error: Optional[BaseException]) -> RunStatus:
        """The status of a run that ended with `error`, or without one.

        Somebody who stops listening cancels a run, and so does Ctrl-C: the agent itself did not fail.
        """
        if error is None:
            return cls.COMPLETED
        stopped = isinstance(error, (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt))
        return cls.CANCELLED if stopped else cls.FAILED
