"""For whom code works: the innermost run around it, also soon after the end of that run."""

from __future__ import annotations

from typing import Any, Optional

from keito.billing import AgentBilling
from keito.metering import AgentRun
from keito.metering.current import starting_run


def innermost(current: AgentRun, run: AgentRun) -> AgentRun:
    """What the code is a part of: `run`, or the one that a block inside of it has begun, to bill that by itself.

    Args:
        current: In which the code was started.
        run: That of the LangChain run around it.
    """
    around = current.root.around
    while around is not None and around is not run.root:
        around = around.around
    return run if around is None else taking(current) or run


def taking(run: AgentRun) -> Optional[AgentRun]:
    """What takes the work of code that was started in `run`: itself, its supplement after its end, and then nothing."""
    if run.is_open:
        return run
    owner = run.root.owner
    return None if owner is None else owner.supplement(run.root)


def ended_around(billing: AgentBilling, parent_id: Optional[object]) -> Optional[AgentRun]:
    """The ended run in which the code was started whose LangChain run begins, if `billing` would bill it likewise.

    Args:
        billing: Bills what begins.
        parent_id: What LangChain says that it is inside of. What follows a stream that was left has none, and is no
            part of that stream, although it is still there in the context.
    """
    run = starting_run()
    if run is None or run.is_open or (parent_id is None and run.root.framework == "langchain"):
        return None
    owner = run.root.owner
    return run if isinstance(owner, AgentBilling) and owner.is_same(billing) else None


def place_of(run: AgentRun) -> dict[str, Any]:
    """The fields of `AgentBilling.start` that say for whom `run` was."""
    root = run.root
    places = {"session_id": root.session_id, "project_id": root.project_id, "task_id": root.task_id}
    return {field: place for field, place in places.items() if place is not None}
