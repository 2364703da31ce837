"""How far the run of a root reaches, which stays current in code beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional, Protocol
from uuid import UUID
from weakref import ref

from keito.metering import AgentRun, RunStatus
from keito.metering.current import starting_run
from keito_langchain.context import enclosing_run_id, is_in_framework
from keito_langchain.nodes import Node


class Finds(Protocol):
    """Knows open LangChain runs."""

    def find(self, run_id: Optional[UUID]) -> Optional[Node]:
        """The open LangChain run of that id."""
        ...


_tables: list[ref[Finds]] = []


def listed(table: Finds) -> None:
    """Have a table asked from now on, for as long as it lasts."""
    _tables[:] = [*(known for known in _tables if known() is not None), ref(table)]


def found(run_id: Optional[UUID]) -> list[Node]:
    """The open LangChain run of that id, as each billing has it."""
    tables = [table for known in tuple(_tables) if (table := known()) is not None]
    return [node for table in tables if (node := table.find(run_id)) is not None]


class RootExtent:
    """Tells the code of a root from code that only began it.

    `batch` begins all its roots in one context, and a stream leaves its run there for whoever reads it.

    Args:
        uid: That of the root.
        outer: The run that the root began in.
    """

    __slots__ = ("_uid", "outer")

    def __init__(self, uid: str, outer: Optional[AgentRun]) -> None:
        self._uid = uid
        self.outer = outer

    def is_here(self) -> bool:
        """Whether the code that asks is a part of the root."""
        run_id = enclosing_run_id()
        if run_id is None:  # LangChain tells it to what it calls; on Python 3.10 to none that is asynchronous
            return is_in_framework()
        nodes = found(run_id)
        return not nodes or self._has(nodes)

    def has_one_of(self, run_ids: Sequence[Optional[UUID]]) -> bool:
        """Whether one of these is open in the root."""
        return any(self._has(found(run_id)) for run_id in run_ids)

    def _has(self, nodes: Sequence[Node]) -> bool:
        return any(node.root.uid == self._uid for node in nodes)


def run_around(parent_id: Optional[UUID]) -> Optional[AgentRun]:
    """The open run that a root which begins here is inside of: a block of code, or a run of another billing.

    Args:
        parent_id: What LangChain says that the root is inside of.
    """
    run, ids = starting_run(), (parent_id, enclosing_run_id())
    while run is not None and run.extent is not None:
        if isinstance(run.extent, RootExtent) and run.is_open and run.extent.has_one_of(ids):
            break
        run = run.extent.outer
    return run if run is not None and run.is_open else None


def before(run: Optional[AgentRun]) -> Optional[AgentRun]:
    """What is to be current again after a LangChain run, where `run` was: that, or what is open around it."""
    if run is not None and run.extent is not None and run.status is not RunStatus.OPEN:
        run = run.extent.outer  # which is no root that began in the same context, and so has no extent to be asked for
    return run if run is not None and run.is_open else None
