"""Handlers of several billings that are told of the same runs. Within an account, one of them bills each call."""

from __future__ import annotations

import logging
from typing import Any, Optional
from uuid import UUID

from keito.billing import AgentBilling
from keito.metering import AgentRun
from keito.metering.framework_call import FrameworkCall
from keito_langchain.context import enclosing_run_id
from keito_langchain.extent import found
from keito_langchain.nodes import Key, ModelStart, Node
from keito_langchain.table import key_of

_log = logging.getLogger("keito.billing")

_LIMIT = 10_000
"""Runs that are remembered; beyond it the oldest are forgotten."""


class LeftOut:
    """The open LangChain runs that are in the bill of a handler before this one.

    Two handlers for one account that are given to the same root would bill its time and its calls twice.

    Args:
        billing: That of this handler.
    """

    def __init__(self, billing: AgentBilling) -> None:
        self._billing = billing
        self._keys: dict[Key, None] = {}
        self._warned = False

    def takes(self, run_id: UUID, parent_id: Optional[UUID], told: Any) -> bool:
        """Whether a run that starts, and has no parent here, is left out.

        Args:
            run_id: Its id.
            parent_id: The id of the run around it.
            told: Its metadata, the same object for all handlers.
        """
        others = [node for node in found(run_id) if node.told is told and self._is_rival(node.root.run.owner)]
        if not others or told is None:
            return False
        is_inside = any(one is not None and key_of(one) in self._keys for one in (parent_id, enclosing_run_id()))
        if not is_inside and not any(node.is_root for node in others):
            return False
        if len(self._keys) >= _LIMIT:
            self._keys.pop(next(iter(self._keys)), None)
        self._keys[key_of(run_id)] = None
        if not self._warned:
            self._warned = True
            _log.warning(
                "Two handlers with different policies for one account are given to the same run; the first one bills it"
            )
        return True

    def ended(self, run_id: UUID) -> None:
        """A run has ended."""
        self._keys.pop(key_of(run_id), None)

    def has(self, run_id: UUID) -> bool:
        """Whether a run is left out."""
        return key_of(run_id) in self._keys

    def _is_rival(self, owner: Any) -> bool:
        billing = self._billing
        return isinstance(owner, AgentBilling) and owner.account == billing.account and not owner.is_same(billing)


def settle(start: ModelStart, run_id: UUID) -> None:
    """Have one of the billings that are told of a model call count it: the one whose run is the innermost.

    Args:
        start: The start of the call, as one billing has it. Those before it are the `outer` ones.
        run_id: LangChain's own id, which is one object for all of them.
    """
    outer: Optional[FrameworkCall] = start.outer
    while isinstance(outer, ModelStart) and outer.held() is run_id:
        mine, theirs = start.run, outer.run
        if mine is not None and theirs is not None and outer.table is not start.table and _is_near(mine, theirs):
            is_within = mine.root is theirs.root or _is_inside(mine, theirs)
            (outer if is_within else start).is_left_out = True
        outer = outer.outer


def is_counted_elsewhere(node: Node, run_id: Optional[UUID]) -> bool:
    """Whether `node` is inside a run of another billing, which is told of the LangChain run `run_id` itself."""
    run = node.run.root
    if run is node.root.run.root:
        return False
    return any(other is not node and other.root.run.root is run for other in found(run_id))


def _is_near(run: AgentRun, other: AgentRun) -> bool:
    mine, theirs = run.root.owner, other.root.owner
    return isinstance(mine, AgentBilling) and isinstance(theirs, AgentBilling) and mine.account == theirs.account


def _is_inside(run: AgentRun, other: AgentRun) -> bool:
    around = run.root.around
    while around is not None and around is not other.root:
        around = around.around
    return around is not None
