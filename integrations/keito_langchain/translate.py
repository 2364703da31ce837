"""From LangChain's events to the runs that are billed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Optional
from uuid import UUID

from keito.billing import AgentBilling
from keito.metering import LLMCall, NoUsage, RunStatus
from keito_langchain.nodes import ModelStart, Node, Root
from keito_langchain.table import table_of
from keito_langchain.usage import Answer

_log = logging.getLogger("keito.billing")

_CONTROL_FLOW = frozenset({"GraphBubbleUp", "NodeInterrupt"})
_INTERRUPTS = frozenset({"GraphInterrupt", "NodeInterrupt"})
"""LangGraph steers with exceptions. They go by name here, so that LangGraph need not be installed."""

_HINT = "langchain-openai reports none for streams from an own base_url: construct the model with stream_usage=True"


class Translator:
    """Keeps the runs of one billing up to date with what LangChain reports."""

    def __init__(self, billing: AgentBilling) -> None:
        self._billing = billing
        self._table = table_of(billing)
        self._warned = False

    def started(
        self,
        run_id: UUID,
        parent_id: Optional[UUID],
        name: Optional[str],
        metadata: Optional[Mapping[str, Any]],
        *,
        is_tool: bool = False,
    ) -> None:
        """A chain, graph, tool or retriever has started."""
        # Tools enter, too: `abatch` starts its roots in tasks of their own, whose context tools don't see.
        self._table.start(run_id, parent_id, name, session_id=_thread(metadata), attributes=metadata, enters=is_tool)

    def model_started(
        self,
        run_id: UUID,
        parent_id: Optional[UUID],
        name: Optional[str],
        metadata: Optional[Mapping[str, Any]],
        details: Mapping[str, Any],
        class_name: Optional[str] = None,
    ) -> None:
        """A model is about to be called.

        Raises:
            KeitoBudgetExceeded: A budget that is to stop the agent is used up.
        """
        about: Mapping[str, Any] = metadata or {}
        asked: Mapping[str, Any] = details.get("invocation_params") or {}
        model = about.get("ls_model_name") or asked.get("model") or asked.get("model_name")
        provider = about.get("ls_provider")
        if provider == (class_name or "").lower():
            provider = None  # LangChain makes it up from the class where the class doesn't say
        start = ModelStart(provider, model, details.get("batch_size") or 1)
        node = self._table.start(
            run_id, parent_id, name, session_id=_thread(metadata), attributes=metadata, model=start
        )
        if node is not None:
            self._check_budget(run_id, node)

    def model_ended(self, run_id: UUID, answer: Answer, error: Optional[BaseException] = None) -> None:
        """A model has answered or failed."""
        node = self._table.end(run_id)
        if node is None:
            late = self._table.late(run_id)
            if late is not None:
                late[0].run.record(_call(late[1], answer, error))
            return
        start = node.model
        # Text models report the tokens of all prompts with the first one, and an empty dictionary with the others.
        if start is not None and not (answer.counted_elsewhere and start.batch_size > 1):
            call = _call(start, answer, error)
            node.root.run.record(call)
            self._warn_if_uncounted(call)
        self._left(node, error)

    def ended(self, run_id: UUID, error: Optional[BaseException] = None, *, result: Any = None) -> None:
        """A chain, graph, tool or retriever has ended."""
        node = self._table.end(run_id)
        if node is not None:
            if node.is_root and error is None:
                node.root.run.set_result(result)
            self._left(node, error)

    def _check_budget(self, run_id: UUID, node: Node) -> None:
        """Stop a model call that a budget forbids. LangChain reports no end of a call that it didn't make."""
        try:
            node.root.run.check_budget()
        except Exception as error:
            if self._table.end(run_id) is not None:
                self._left(node, error)
            raise

    def _left(self, node: Node, error: Optional[BaseException]) -> None:
        root = node.root
        root.interrupted = root.interrupted or _is_one_of(error, _INTERRUPTS)
        if not node.is_root:
            return
        for start in self._table.abandon(root):
            root.run.record(_call(start, Answer(), None, NoUsage.UNFINISHED))
        self._billing.finish(root.run, _status(root, error))

    def _warn_if_uncounted(self, call: LLMCall) -> None:
        if call.no_usage is NoUsage.NOT_REPORTED and not call.cached and not self._warned:
            self._warned = True
            _log.warning("Model %s reported no token usage, so its cost is not known. %s", call.model, _HINT)


def _call(
    start: ModelStart, answer: Answer, error: Optional[BaseException], no_usage: Optional[NoUsage] = None
) -> LLMCall:
    start.call.leave()
    return LLMCall(
        started_at=start.at,
        ended_at=datetime.now(timezone.utc),
        provider=start.provider or answer.provider,
        requested_model=start.model,
        served_model=answer.model,
        usage=answer.usage,
        no_usage=None if answer.usage is not None else no_usage or NoUsage.after(error, answered=answer.started),
        tier=answer.tier,
        cached=answer.cached,
        error=None if error is None else type(error).__name__,
        response_id=answer.response_id or start.call.response_id,
        partial=error is not None and answer.usage is not None,
    )


def _status(root: Root, error: Optional[BaseException]) -> RunStatus:
    if error is not None and not _is_one_of(error, _CONTROL_FLOW):
        return RunStatus.after(error)
    return RunStatus.PAUSED if root.interrupted else RunStatus.COMPLETED


def _is_one_of(error: Optional[BaseException], names: frozenset[str]) -> bool:
    return error is not None and not names.isdisjoint(_kinds(error))


def _kinds(error: BaseException) -> list[str]:
    return [kind.__name__ for kind in type(error).__mro__]


def _thread(metadata: Optional[Mapping[str, Any]]) -> Optional[str]:
    """LangGraph's thread joins the runs before and after an interrupt."""
    thread = (metadata or {}).get("thread_id")
    return None if thread is None else str(thread)
