"""Open LangChain runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Optional
from uuid import UUID

from keito.metering import AgentRun
from keito.metering.framework_call import FrameworkCall


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class ModelStart:
    """What the start of a model call told. Its end brings no metadata, so this is kept.

    Attributes:
        provider: Who is asked.
        model: The requested model.
        batch_size: How many prompts were asked together.
        at: When.
        call: Tells metered clients below that this call is reported here.
    """

    provider: Optional[str]
    model: Optional[str]
    batch_size: int = 1
    at: datetime = field(default_factory=_now)
    call: FrameworkCall = field(default_factory=FrameworkCall.enter)


@dataclass
class Root:
    """A run of an agent, and the LangChain runs inside it.

    Attributes:
        run: What gets billed.
        name: The name of the LangChain run.
        open: Those inside it that have not ended.
        interrupted: LangGraph stopped it to wait for a person.
    """

    run: AgentRun
    name: Optional[str]
    open: set[UUID] = field(default_factory=set[UUID])
    interrupted: bool = False


@dataclass
class Node:
    """One open LangChain run.

    Attributes:
        root: What it belongs to.
        is_root: Whether its end is the end of that.
        model: What is known of the model call, if it is one.
        entered: Whether the agent's run was made the current one of the context for it.
        outer: What was current before.
    """

    root: Root
    is_root: bool = False
    model: Optional[ModelStart] = None
    entered: bool = False
    outer: Optional[AgentRun] = None
