"""From LangChain's events to the runs that are billed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Optional
from uuid import UUID

from keito.metering import AgentRun, current_run
from keito_langchain.outcomes import EVENT, outcome_of
from keito_langchain.places import ended_around
from keito_langchain.rivals import is_counted_elsewhere
from keito_langchain.roots import Roots
from keito_langchain.steps import opening

_log = logging.getLogger("keito.billing")

_NAME_LIMIT = 100
"""Characters of the name of a usage."""


class Translator:
    """Keeps the runs of one billing up to date with what LangChain reports of chains, graphs, tools and retrievers.

    Args:
        roots: The runs.
    """

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._table = roots.table

    def started(
        self,
        run_id: UUID,
        parent_id: Optional[UUID],
        name: Optional[str],
        metadata: Optional[Mapping[str, Any]],
        *,
        inputs: Any = None,
        tags: Optional[Sequence[str]] = None,
        uses: Optional[str] = None,
    ) -> None:
        """A chain, graph, tool or retriever has started.

        Args:
            run_id: Its id.
            parent_id: The id of the run around it.
            name: Its name.
            metadata: Of its config.
            inputs: What it works on.
            tags: Of its config.
            uses: What it is a use of, if that is counted.
        """
        key = self._table.admit(run_id, metadata)
        if key is None:
            return
        if self._table.find(parent_id) is None and self._roots.left_out.takes(run_id, parent_id, metadata):
            return

        def start_run(around: Optional[AgentRun]) -> AgentRun:
            ended = ended_around(self._roots.billing, parent_id)
            return self._roots.start(name, metadata, inputs, around=around, ended=ended)

        own = opening(name, tags, metadata)
        node = self._table.start(key, parent_id, name, start_run, told=metadata, opening=own, run_id=run_id)
        if node.step is not None:
            node.root.begin_again(node.step)
        if uses is not None and not is_counted_elsewhere(node, parent_id):
            node.run.record_usage((name or "").strip()[:_NAME_LIMIT] or uses, unit=uses)
        self._roots.opened(node)

    def ended(self, run_id: UUID, tags: Any, error: Optional[BaseException] = None, *, result: Any = None) -> None:
        """A chain, graph, tool or retriever has ended."""
        node = self._table.end(run_id, tags)
        if node is None:
            self._roots.left_out.ended(run_id)
        else:
            if node.is_root and error is None:
                node.root.run.set_result(result)
            self._roots.left(node, error)

    def paused(self, run_id: Optional[UUID], *, paused: bool) -> None:
        """A graph waits for somebody, or goes on after that."""
        node = self._table.find(run_id)
        if node is not None:
            node.root.paused = paused

    def custom_event(self, run_id: UUID, name: str, data: Any) -> None:
        """An event was dispatched, which may be an outcome."""
        if name != EVENT:
            return
        node = self._table.find(run_id)
        if self._roots.left_out.has(run_id) if node is None else is_counted_elsewhere(node, run_id):
            return
        run = current_run() if node is None else node.run
        outcome = outcome_of(data)
        if run is None:
            _log.warning("Outcome %r was dispatched outside of any run and is not billed", data)
        elif outcome is not None:
            run.log_outcome(outcome)
