"""The runs that spans stand for: when one begins, where it is billed to, and how it ends."""

from __future__ import annotations

import logging
import os
import re
import threading
from typing import TYPE_CHECKING, Any, Optional
from weakref import WeakValueDictionary

from keito import telemetry
from keito.billing import AgentBilling
from keito.billing.account import RunAccount
from keito.metering import AgentRun, RunStatus, current_run
from keito.metering.current import enter_run, leave_run
from keito.metering.framework_call import FrameworkCall
from keito_otel.clock import elapsed_ns, is_believed, seen_ns, start_of
from keito_otel.context import nearest_open
from keito_otel.ends import status_of
from keito_otel.nodes import Node, Root, SpanCall
from keito_otel.roles import is_of_agents
from keito_otel.routing import agent_of, extras, outcome_of, outcomes_in, route, session_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace import ReadableSpan

_UNATTACHED = frozenset({"openinference.instrumentation.openai_agents"})
"""Their roots start where an agent is asked for, which need not be where it runs."""

_FRAMEWORKS = {"gcp.vertex.agent": "google-adk", "semantic_kernel": "semantic-kernel", "strands": "strands-agents"}
"""Those whose scopes do not end with a name of theirs, by what the scopes begin with."""

_log = logging.getLogger("keito.billing")

_VERSION = re.compile(r"\.v\d+$")

_roots: WeakValueDictionary[str, Root] = WeakValueDictionary()
"""The roots of all processors, by the uid of their run."""

_claims: WeakValueDictionary[tuple[int, int, object], Root] = WeakValueDictionary()
"""The same by their span and the account: a second processor for the same one bills nothing."""


class RunKeeper:
    """Starts and ends the runs of one processor.

    Args:
        billing: Bills them.
    """

    def __init__(self, billing: AgentBilling) -> None:
        self._billing = billing
        self._lock = threading.RLock()
        self._has_warned = False

    def begin(self, node: Node) -> None:
        """There is work of an agent in the root of this span: from now on it is a run."""
        root = node.root
        if root.run is not None or root.is_double or root.ended:
            return
        with self._lock:
            if root.run is None:
                root.is_double = self._is_claimed(root) or self._is_anothers(node)
                if not root.is_double:
                    self._start(root, node)

    def _start(self, root: Root, node: Node) -> None:
        here, there = root.span.attributes or {}, node.span.attributes or {}
        sources = (here, there, root.given)
        root.session, root.agent = session_of(*sources), agent_of(*sources)
        root.around = self._around(root)
        run = self._billing.start(
            root.span.name,
            session_id=root.session,
            framework=_framework(node.scope),
            parent=root.around,
            attributes=extras(*sources),
            started_at=start_of(root).astimezone(),
            **route(*sources),
        )
        run.agent_id = run.agent_id or root.agent
        self._describe(root, run)
        if not is_believed(root.span.start_time):
            self._doubt(run)
        root.run = run
        _roots[run.uid] = root

    def enter(self, node: Node) -> None:
        """Make the run of this span the current one, so that the code in it can log outcomes to it."""
        root = node.root
        if root.run is None or (root.scope in _UNATTACHED and node.is_root):
            return
        inner = current_run()
        if inner is not None and inner is not root.run and _is_inside(inner, root.run):
            node.run = inner
        elif inner is None or inner.root is not root.run.root:
            node.before, node.entered = enter_run(root.run), root.run
            root.before = root.before or node.before

    def leave(self, node: Node, entered: AgentRun) -> None:
        """Undo that, where the code does not go on inside the root."""
        around = nearest_open()
        if around is None or around.root is not node.root:
            leave_run(entered, node.before)

    def leave_root(self, root: Root) -> None:
        """Undo it where the root itself ends."""
        if root.run is not None:
            leave_run(root.run, root.before)

    def learn(self, node: Node, about: Mapping[str, Any]) -> None:
        """Take over what a span inside a root says of the conversation and of the agent, where the root does not."""
        root, is_work = node.root, node.role == "work"
        if (root.session is None or is_work) and (session := session_of(about)) is not None:
            self._join(root, session, node)
        if (root.agent is None or is_work) and (agent := agent_of(about)) is not None:
            self._name(root, agent, node)

    def _join(self, root: Root, session: str, node: Node) -> None:
        """The conversation that the outermost span names counts, which ends after those inside it."""
        if root.session is None or node.depth < root.session_depth:
            root.session, root.session_depth = session, node.depth
            if root.run is not None and root.run.root is root.run:
                root.run.session_id = session

    def _name(self, root: Root, agent: str, node: Node) -> None:
        """The same for the agent."""
        if root.agent is None or node.depth < root.agent_depth:
            root.agent, root.agent_depth = agent, node.depth

    def log_outcomes(self, node: Node, about: Mapping[str, Any]) -> None:
        """Log the outcomes that a span reports. One that is none does not cost the others."""
        run = node.run or node.root.run
        if run is None:
            return
        if node.span.dropped_events:
            _log.warning(
                "OpenTelemetry has dropped %d events of span %r; outcomes in them are not billed. "
                "Set OTEL_SPAN_EVENT_COUNT_LIMIT to more than a span has",
                node.span.dropped_events,
                node.span.name,
            )
        for said in outcomes_in(node.span, about):
            try:
                run.log_outcome(outcome_of(said))
            except (TypeError, ValueError) as error:  # noqa: PERF203 - each one is money
                self._billing.guard.refused(f"An outcome of span {node.span.name!r}", error)
                if isinstance(run.ledger, RunAccount):
                    run.ledger.flags.add("outcome_failed")

    def finish(self, root: Root, span: ReadableSpan, about: Mapping[str, Any]) -> None:
        """The root's span has ended."""
        if root.run is None:
            return
        root.run.name = span.name  # it may have been renamed
        status = status_of(root, span, about)
        elapsed = elapsed_ns(root, span)
        if elapsed is None:
            self._doubt(root.run)
        self._end(root, root.run, status, seen_ns(root) if elapsed is None else elapsed)

    def abandon(self, root: Root) -> None:
        """Nobody knows whether the root's span will ever end. It lasted until something last happened in it."""
        if root.run is not None:
            self._end(root, root.run, RunStatus.ABANDONED, seen_ns(root))

    def _end(self, root: Root, run: AgentRun, status: RunStatus, elapsed_ns: int) -> None:
        if run.agent_id is None:
            run.agent_id = root.agent
        self._billing.finish(run, status, elapsed_ns=elapsed_ns)

    def _doubt(self, run: AgentRun) -> None:
        """The times of the root cannot be true. A run is billed by what this process saw, and its records say so."""
        if run.root is run and isinstance(run.ledger, RunAccount):
            run.ledger.flags.add("clock_doubted")

    def _describe(self, root: Root, run: AgentRun) -> None:
        context = root.span.get_span_context()
        assert context is not None
        telemetry.shown_by(run, context)
        if run.root is run and run.session_id == run.uid:
            run.session_id = f"{context.trace_id:032x}"  # the services that a trace passes through share it

    def _is_claimed(self, root: Root) -> bool:
        context = root.span.get_span_context()
        assert context is not None
        account = self._billing.account
        place = account if isinstance(account, str) else id(account)
        first = _claims.setdefault((context.trace_id, context.span_id, place), root)
        if first is not root and first.run is not None and not self._has_warned:
            self._has_warned = True
            self._warn_of(first.run)
        return first is not root

    def _warn_of(self, run: AgentRun) -> None:
        owner, mine = run.owner, self._billing.policy.project_id
        theirs = owner.policy.project_id if isinstance(owner, AgentBilling) else None
        if theirs != mine:
            _log.warning(
                "A KeitoSpanProcessor before this one bills the same spans, to project %s; nothing of them goes to %s",
                theirs,
                mine,
            )

    def _is_anothers(self, node: Node) -> bool:
        """Whether the root lies in a model call that is a run of another integration, by itself.

        The callback handler of LangChain does not make such a run the current one.
        """
        call = FrameworkCall.current(self._billing.account)
        is_reported = call is not None and not isinstance(call, SpanCall)
        return is_reported and node.is_root and self._billing.around() is None

    def _around(self, root: Root) -> Optional[AgentRun]:
        """The run whose part this one is: a block of the program, another integration's, or another framework's.

        Spans of one framework name their parents themselves; roots of it that start one after the other in the same
        context, as those of a batch do, are not parts of each other.
        """
        run = self._billing.around()
        other = None if run is None else _roots.get(run.root.uid) or _roots.get(run.uid)
        return other.around if other is not None and other.scope == root.scope else run


def _is_inside(inner: AgentRun, outer: AgentRun) -> bool:
    """Whether a run that is current was started inside another one, and is billed by itself."""
    if inner.root is outer.root or inner.parent_id is None or inner.parent_id == outer.parent_id:
        return False
    return inner.root.uid not in _roots


def _step_out() -> None:
    """In a forked child: what it does is no part of the parent's run, which the parent bills."""
    run = current_run()
    if run is not None and run.root.uid in _roots:
        leave_run(run, None)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_step_out)


def _framework(scope: str) -> Optional[str]:
    """The framework's name, from that of its instrumentation. Programs have scopes of their own."""
    if not is_of_agents(scope):
        return None
    known = next((name for prefix, name in _FRAMEWORKS.items() if scope.startswith(prefix)), None)
    return known or _VERSION.sub("", scope).rpartition(".")[2]
