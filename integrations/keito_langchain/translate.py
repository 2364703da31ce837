"""From LangChain's events to the runs that are billed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Optional
from uuid import UUID
from weakref import ref

from langchain_core.outputs import LLMResult

from keito.billing import AgentBilling, Budget
from keito.billing.account import RunAccount
from keito.metering import AgentRun, LLMCall, NoUsage, RunStatus, current_run
from keito_langchain import graph
from keito_langchain.closing import call_of, close, give_up, leave_open, watch_of
from keito_langchain.delegation import calls_inside, is_repetition, tell
from keito_langchain.nodes import ModelStart, Node, Root
from keito_langchain.outcomes import EVENT, outcome_of
from keito_langchain.places import ended_around, place_of, taking
from keito_langchain.rivals import LeftOut, is_counted_elsewhere, settle
from keito_langchain.routing import agent_of, fields_of
from keito_langchain.steps import StepRun, opening
from keito_langchain.table import RunTable, key_of, table_of
from keito_langchain.usage import Answer, read_answer

_log = logging.getLogger("keito.billing")

_HINT = "langchain-openai reports none for streams from an own base_url: construct the model with stream_usage=True"

_now, _UTC = datetime.now, timezone.utc

_NOTHING: Mapping[str, Any] = {}

_NAME_LIMIT = 100
"""Characters of the name of a usage."""


class Translator:
    """Keeps the runs of one billing up to date with what LangChain reports."""

    def __init__(self, billing: AgentBilling) -> None:
        self._billing = billing
        self._table: RunTable = table_of(billing)
        self.watch = watch_of(self._table)
        self._succession = threading.Lock()
        self._left_out = LeftOut(billing)

    @property
    def open_runs(self) -> int:
        """How many LangChain runs are going on."""
        return len(self._table)

    @property
    def dropped_runs(self) -> int:
        """How many roots were given up because there were too many."""
        return self._table.dropped

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
        if self._table.find(parent_id) is None and self._left_out.takes(run_id, parent_id, metadata):
            return

        def start_run(around: Optional[AgentRun]) -> AgentRun:
            ended = ended_around(self._billing, parent_id)
            return self._start(name, metadata, inputs, around=around, ended=ended)

        own = opening(name, tags, metadata)
        node = self._table.start(key, parent_id, name, start_run, told=metadata, opening=own, run_id=run_id)
        if node.step is not None:
            node.root.begin_again(node.step)
        if uses is not None and not is_counted_elsewhere(node, parent_id):
            node.run.record_usage((name or "").strip()[:_NAME_LIMIT] or uses, unit=uses)
        self._opened(node)

    def model_started(
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
        if around is None and self._left_out.takes(run_id, parent_id, metadata):
            return False
        class_name = serialized.get("name") if serialized else None
        start = _model_start(run_id, metadata or _NOTHING, details, class_name)
        start.table, start.inside, start.beside, start.is_left_out = self._table, None, None, False
        if around is not None:  # decided first: it is nearly always so, and the agent waits for it
            self._table.start_inside(around, key, metadata, start)
            if start.outer is not None:
                settle(start, run_id)
            self._leave_surplus(around.root)
            return True
        name = details.get("name") or class_name

        def start_run(around: Optional[AgentRun]) -> AgentRun:
            ended = ended_around(self._billing, parent_id)
            late = None if ended is None else taking(ended)
            return late or self._start(name, metadata, inputs, around=around, ended=ended)

        self._opened(self._table.start(key, parent_id, name, start_run, told=metadata, model=start, run_id=run_id))
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
                self._left(node, error)
            raise

    def model_ended(
        self, run_id: UUID, tags: Any, response: Optional[LLMResult], error: Optional[BaseException] = None
    ) -> None:
        """A model has answered or failed."""
        node = self._table.end(run_id, tags)
        answer = self._read(response)
        if node is None:
            self._left_out.ended(run_id)
            self._ended_late(run_id, answer, error)
            return
        try:
            start = node.model
            # Text models report the tokens of all prompts with the first one, and an empty dictionary with the others.
            if start is not None and not (answer.counted_elsewhere and start.batch_size > 1):
                self._count(node, start, response, answer, error)
        finally:
            if node.is_root or error is not None:
                self._left(node, error)

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
            self._billing.guard.caught("read_answer", error)
            return Answer(started=True)

    def _ended_late(self, run_id: UUID, answer: Answer, error: Optional[BaseException]) -> None:
        late = self._table.late.take(key_of(run_id))
        # That it had not ended is billed already; only tokens are news.
        if late is not None and answer.usage is not None:
            run, start = late
            run.record(call_of(start, answer, error))

    def ended(self, run_id: UUID, tags: Any, error: Optional[BaseException] = None, *, result: Any = None) -> None:
        """A chain, graph, tool or retriever has ended."""
        node = self._table.end(run_id, tags)
        if node is None:
            self._left_out.ended(run_id)
        else:
            if node.is_root and error is None:
                node.root.run.set_result(result)
            self._left(node, error)

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
        if self._left_out.has(run_id) if node is None else is_counted_elsewhere(node, run_id):
            return
        run = current_run() if node is None else node.run
        outcome = outcome_of(data)
        if run is None:
            _log.warning("Outcome %r was dispatched outside of any run and is not billed", data)
        elif outcome is not None:
            run.log_outcome(outcome)

    def _record_late(self, node: Node, call: LLMCall) -> None:
        if taking(node.run) is None:
            node.run = self._successor(node.root)
        node.run.record(call, by="langchain")

    def _successor(self, root: Root) -> AgentRun:
        """The run of a root whose own has ended too long ago for a supplement: the rest is billed by itself."""
        with self._succession:  # calls at a time have one successor, and not one each
            if not root.run.is_open:
                root.began_ns = time.perf_counter_ns()
                root.run = self._start(root.name, None, None, around=None, ended=root.run)
            return root.run

    def _start(
        self,
        name: Optional[str],
        metadata: Optional[Mapping[str, Any]],
        inputs: Any,
        *,
        around: Optional[AgentRun],
        ended: Optional[AgentRun],
    ) -> AgentRun:
        """Start a run inside `around`, or for whom `ended` was: it was started there, and has outlived it."""
        fields = {**({} if ended is None else place_of(ended)), **fields_of(metadata)}
        attributes = metadata if ended is None else {**ended.attributes, **(metadata or {})}
        parent = self._billing.near(around)  # one of another account is none
        run = self._billing.start(name, framework="langchain", parent=parent, attributes=attributes, **fields)
        if run.root.session_id == run.root.uid:
            run.root.session_id = run.session_id  # a block that names none is a part of the conversation of its graph
        run.agent_id = agent_of(metadata) or run.agent_id
        run.inputs = inputs
        return run

    def _opened(self, node: Node) -> None:
        if not node.is_root:
            self._leave_surplus(node.root)
            return
        self.watch.begin()
        for root in self._table.surplus():
            self._table.dropped += 1
            give_up(self._table, root)

    def _leave_surplus(self, root: Root) -> None:
        surplus = self._table.surplus_of(root)
        if surplus is not None:
            leave_open(self._table, *surplus)

    def _left(self, node: Node, error: Optional[BaseException]) -> None:
        root = node.root
        if node.step is not None:
            self._left_step(root, node.step, error)
        if error is not None and graph.is_pause(error):
            root.paused = True
        if node.is_root:
            close(self._table, root, _status(root, error))

    def _left_step(self, root: Root, step: StepRun, error: Optional[BaseException]) -> None:
        if error is None or graph.is_control_flow(error):
            step.settle(again=graph.is_interrupt(error))
        else:
            root.failed.append(step)

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


def _status(root: Root, error: Optional[BaseException]) -> RunStatus:
    if error is not None and not graph.is_control_flow(error):
        return RunStatus.after(error)
    return RunStatus.PAUSED if root.paused else RunStatus.COMPLETED


def _limit(run: AgentRun, budgets: Sequence[Budget]) -> None:
    """Have a run's account count for these budgets as well. What was spent before is in none of them."""
    account = run.ledger
    if budgets and isinstance(account, RunAccount):
        further = tuple(budget for budget in budgets if budget not in account.policy.budgets)
        if further:
            account.policy = replace(account.policy, budget=(*account.policy.budgets, *further))
