"""From LangChain's events of model calls to the calls that are billed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Optional
from uuid import UUID
from weakref import ref

from langchain_core.outputs import LLMResult

from keito.billing import Budget
from keito.billing.account import RunAccount
from keito.metering import AgentRun, LLMCall, NoUsage
from keito_langchain.closing import call_of
from keito_langchain.delegation import calls_inside, is_repetition, tell
from keito_langchain.nodes import ModelStart, Node
from keito_langchain.places import ended_around, taking
from keito_langchain.rivals import settle
from keito_langchain.roots import Roots
from keito_langchain.table import key_of
from keito_langchain.usage import Answer, read_answer

_log = logging.getLogger("keito.billing")

_HINT = "langchain-openai reports none for streams from an own base_url: construct the model with stream_usage=True"

_now, _UTC = datetime.now, timezone.utc

_NOTHING: Mapping[str, Any] = {}


class ModelCalls:
    """Records the model calls of one billing's runs.

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
        serialized: Optional[Mapping[str, Any]],
        metadata: Optional[Mapping[str, Any]],
        details: Mapping[str, Any],
        inputs: Any = None,
    ) -> bool:
        """A model is about to be called; answers whether that is news.

        Args:
            run_id: The call.
            parent_id: The id of the run around it.
            serialized: What LangChain knows of the model: its class.
            metadata: Of its config, and of the model.
            details: What it is called with, and its name.
            inputs: What it is asked.
        """
        key = self._table.admit(run_id, metadata)
        if key is None:
            return False
        around = self._table.find(parent_id)
        if around is None and self._roots.left_out.takes(run_id, parent_id, metadata):
            return False
        class_name = serialized.get("name") if serialized else None
        start = _model_start(run_id, metadata or _NOTHING, details, class_name)
        start.table, start.inside, start.beside, start.is_left_out = self._table, None, None, False
        if around is not None:  # decided first: it is nearly always so, and the agent waits for it
            self._table.start_inside(around, key, metadata, start)
            if start.outer is not None:
                settle(start, run_id)
            self._roots.leave_surplus(around.root)
            return True
        name = details.get("name") or class_name

        def start_run(around: Optional[AgentRun]) -> AgentRun:
            ended = ended_around(self._roots.billing, parent_id)
            late = None if ended is None else taking(ended)
            return late or self._roots.start(name, metadata, inputs, around=around, ended=ended)

        self._roots.opened(
            self._table.start(key, parent_id, name, start_run, told=metadata, model=start, run_id=run_id)
        )
        settle(start, run_id)
        return True

    def check_budget(self, run_id: UUID, budgets: Sequence[Budget] = ()) -> None:
        """Stop a model call that a budget forbids. LangChain reports no end of a call that it didn't make.

        Args:
            run_id: The call.
            budgets: Budgets of its run beside those of the policy.

        Raises:
            KeitoBudgetExceeded: A budget that is to stop the agent is used up.
        """
        node = self._table.find(run_id)
        if node is None:
            return
        try:
            _limit(node.run, budgets)
            node.run.check_budget()
        except Exception as error:
            if self._table.end(run_id) is not None:
                self._roots.left(node, error)
            raise

    def ended(
        self, run_id: UUID, tags: Any, response: Optional[LLMResult], error: Optional[BaseException] = None
    ) -> None:
        """A model has answered or failed."""
        node = self._table.end(run_id, tags)
        answer = self._read(response)
        if node is None:
            self._roots.left_out.ended(run_id)
            self._ended_late(run_id, answer, error)
            return
        try:
            start = node.model
            # Text models report the tokens of all prompts with the first one, and an empty dictionary with the others.
            if start is not None and not (answer.counted_elsewhere and start.batch_size > 1):
                self._count(node, start, response, answer, error)
        finally:
            if node.is_root or error is not None:
                self._roots.left(node, error)

    def _count(
        self,
        node: Node,
        start: ModelStart,
        response: Optional[LLMResult],
        answer: Answer,
        error: Optional[BaseException],
    ) -> None:
        call = call_of(start, answer, error)
        if start.is_left_out:
            return
        if (start.inside or start.beside) and is_repetition(call, answer, calls_inside(start, response)):
            return
        if start.outer is not None:
            tell(start, call)
        if node.run.is_open:
            node.run.record(call, by="langchain")
        else:
            self._record_late(node, call)
        if call.usage is None:
            self._warn_uncounted(call)

    def _read(self, response: Optional[LLMResult]) -> Answer:
        try:
            return read_answer(response)
        except Exception as error:  # a provider's package may put anything there: the call has an unknown cost then
            self._roots.billing.guard.caught("read_answer", error)
            return Answer(started=True)

    def _ended_late(self, run_id: UUID, answer: Answer, error: Optional[BaseException]) -> None:
        late = self._table.late.take(key_of(run_id))
        # That it had not ended is billed already; only tokens are news.
        if late is not None and answer.usage is not None:
            run, start = late
            run.record(call_of(start, answer, error))

    def _record_late(self, node: Node, call: LLMCall) -> None:
        if taking(node.run) is None:
            node.run = self._roots.successor(node.root)
        node.run.record(call, by="langchain")

    def _warn_uncounted(self, call: LLMCall) -> None:
        if call.no_usage is NoUsage.NOT_REPORTED and not call.cached and not self._table.warned:
            self._table.warned = True
            _log.warning("Model %s reported no token usage, so its cost is not known. %s", call.model, _HINT)


def _model_start(
    run_id: UUID, about: Mapping[str, Any], details: Mapping[str, Any], class_name: Optional[str]
) -> ModelStart:
    asked: Mapping[str, Any] = details.get("invocation_params") or {}
    model = about.get("ls_model_name") or asked.get("model") or asked.get("model_name")
    provider = about.get("ls_provider")
    if provider == (class_name or "").lower():
        provider = None  # LangChain makes it up from the class where the class doesn't say
    batch_size = details.get("batch_size") or 1
    start = ModelStart.enter(batch_size)
    start.held = ref(run_id) if type(run_id) is UUID else _always
    start.provider, start.model, start.batch_size, start.at = provider, model, batch_size, _now(_UTC)
    return start


def _always() -> bool:
    return True


def _limit(run: AgentRun, budgets: Sequence[Budget]) -> None:
    """Have a run's account count for these budgets as well. What was spent before is in none of them."""
    account = run.ledger
    if budgets and isinstance(account, RunAccount):
        further = tuple(budget for budget in budgets if budget not in account.policy.budgets)
        if further:
            account.policy = replace(account.policy, budget=(*account.policy.budgets, *further))
