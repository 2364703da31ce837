"""Steps of a LangGraph graph."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Optional

from keito.metering import AgentRun, Outcome

_TAG = "graph:step:"


def is_step(tags: Optional[Sequence[str]]) -> bool:
    """Whether a run is a task of a graph, which a node's code is executed in. Runs inside it don't have the tag."""
    return bool(tags) and any(tag.startswith(_TAG) for tag in tags or ())


class StepRun(AgentRun):
    """A step of a graph. Outcomes that are logged in it count when it ends.

    A step that LangGraph interrupts is executed again from its beginning when the graph is resumed, and logs them
    again. Its model calls are made again, too, and count each time: the provider charges for both.
    """

    def __init__(self, around: AgentRun) -> None:
        super().__init__(parent=around, uid=around.root.uid)
        self.extent = around.extent
        self._held: list[Outcome] = []
        self._settled = False
        self._lock = threading.Lock()

    def log_outcome(self, outcome: Outcome) -> bool:
        """Keep an outcome until the step ends; answers whether it still counts."""
        with self._lock:
            held = not self._settled and self.is_open and isinstance(outcome, Outcome)  # pyright: ignore[reportUnnecessaryIsInstance]
            if held:
                self._held.append(outcome)
        return held or super().log_outcome(outcome)

    def settle(self, *, again: bool) -> None:
        """The step has ended.

        Args:
            again: It was interrupted, and will be executed again.
        """
        with self._lock:
            held, self._held, self._settled = self._held, [], True
        for outcome in () if again else held:
            self.root.log_outcome(outcome)
