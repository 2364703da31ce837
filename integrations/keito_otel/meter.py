"""Which spans count as model calls. Each call counts once, however many spans and integrations report it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional

from keito.metering import AgentRun, LLMCall, NoUsage
from keito.metering.answers import is_specific
from keito.metering.dialects import otel
from keito.metering.framework_call import FrameworkCall
from keito_otel.calls import call_of
from keito_otel.clock import moment
from keito_otel.nodes import Node, Root, SpanCall
from keito_otel.roles import is_attempt, role_of

_IDS_KEPT = 4096
"""Ids of answers by which a call is recognised in the spans of another trace."""


class CallMeter:
    """Records the model calls of spans into their runs. Only innermost inference spans count.

    Args:
        account: Which account of Keito the runs go to.
    """

    def __init__(self, account: object) -> None:
        self._account = account
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.RLock()

    def begin(self, node: Node) -> None:
        """A span has started. It looks who else reports the call."""
        above = FrameworkCall.current(self._account)
        if above is not None and not isinstance(above, SpanCall):
            node.above = above
        elif node.role != "work":
            node.call = SpanCall.enter()
        node.within = _around(node)
        if node.within is not None:
            node.within.open_inside += 1

    def end(self, node: Node, about: Mapping[str, Any]) -> None:
        """A span has ended."""
        if node.call is not None:
            node.call.leave()
        if node.role == "work" and node.root.sums is None and otel.span_usage(about) is not None:
            node.root.sums = call_of(node.span, about)
        around = _around(node)
        call = call_of(node.span, about) if node.role == "inference" else None
        if call is None:
            self._pass_on(node, around)
        elif around is not None and is_attempt(about):
            self._set_apart(node, call, around)
        else:
            self._weigh(node, call, around)
        if node.within is not None:
            self._ended_in(node.within)

    def _pass_on(self, node: Node, around: Optional[Node]) -> None:
        """What was found in a span that turns out to be no model call is of the call around it."""
        if around is None:
            self._record_held(node)
        else:
            around.inside |= node.inside
            around.held += () if around.is_counted else node.held

    def _weigh(self, node: Node, call: LLMCall, around: Optional[Node]) -> None:
        """Count the model call of a span, unless one in it or around it has what it tells."""
        kind = _kind(call)
        if kind in node.inside:
            self._record_held(node)
        elif around is not None and (call.usage is None or around.is_counted):
            is_told = around.is_counted or _reports(node.above, call)
            around.held += () if is_told else (call, *node.held)
        elif call.usage is None and node.open_inside:
            node.held, node.is_waiting = (*node.held, call), True
            return
        else:
            self._record(node, _settled(call, node.held))
            node.is_counted = True
        if around is not None and (node.is_counted or kind in node.inside):
            around.inside |= {kind}

    def _set_apart(self, node: Node, call: LLMCall, around: Node) -> None:
        """Count an attempt that came to nothing. What was found in the call so far is of it, and not of the answer."""
        if _kind(call) not in around.inside:
            self._record(node, _settled(call, around.held))
        around.inside -= {_kind(call)}
        around.held = ()

    def _ended_in(self, around: Node) -> None:
        """A model call in this one has ended. If that was the last one, it need not wait for others any longer."""
        around.open_inside -= 1
        if around.is_waiting and around.inside:
            around.is_waiting = False  # one of them had the usage
        elif around.is_waiting and not around.open_inside:
            around.is_waiting = False
            self._record(around, _settled(around.held[-1], around.held[:-1]))

    def unfinished(self, nodes: list[Node]) -> None:
        """The root has ended, and these spans in it have not. Their cost is not known yet, and that is no zero."""
        for node in nodes:
            if node.call is not None:
                node.call.leave()
        open_calls = [node for node in nodes if node.role == "inference" and not node.inside]
        around = [(node, _around(node)) for node in open_calls]
        outer = {id(one) for _, one in around}
        for node, one in around:
            if id(node) not in outer and node.above is None and (one is None or not one.is_counted):
                self._record(node, _unfinished(node))
                node.is_listed = True

    def sums_only(self, root: Root) -> None:
        """The root has ended. Where only its agents counted, and no model call is known, that is no zero either."""
        run = root.run
        if run is not None and run.root is run and root.sums is not None and not (root.is_called or run.calls):
            run.record(replace(root.sums, usage=None, no_usage=NoUsage.NOT_REPORTED, response_id=None, partial=False))

    def _record_held(self, node: Node) -> None:
        """Count the calls without usage that nobody else reported. Those that failed cost nothing."""
        for call in node.held:
            self._record(node, call)
            node.inside |= {_kind(call)} if call.chargeable else set()

    def _record(self, node: Node, call: LLMCall) -> None:
        run = node.run or node.root.run
        node.root.is_called = True
        if node.is_listed and call.usage is None:
            return  # that its tokens are not known is billed already
        counted = self._agreed(node, call)
        if run is None or counted is None or self._is_known(counted):
            return
        if counted.operation == "embeddings":
            if _is_metered(node, run, counted):
                return
            node.root.embeddings.add(counted.started_at)
        run.record(counted)

    def _agreed(self, node: Node, call: LLMCall) -> Optional[LLMCall]:
        """The call as both that report it know it; `None` if the other one is to report it."""
        open_call = FrameworkCall.current(self._account)
        below = None if isinstance(open_call, SpanCall) else open_call
        above = node.above or below
        if above is not None and _reports(above, call):
            if above is not open_call or call.response_id is None or call.usage is None:
                return None
            told = above.response_id
            above.reported(call.response_id)
            return call if told is None else replace(call, response_id=told)
        known = None if node.call is None else node.call.response_id
        return replace(call, response_id=known) if call.response_id is None and known is not None else call

    def _is_known(self, call: LLMCall) -> bool:
        """Whether the span of another trace has reported the answer. Small servers give one id to many answers."""
        answer = call.response_id
        if answer is None or call.usage is None or call.partial:
            return False
        with self._lock:  # two threads may ask at once
            if answer in self._ids:
                return is_specific(answer)
            self._ids[answer] = None
            if len(self._ids) > _IDS_KEPT:
                self._ids.popitem(last=False)
        return False


def _reports(above: Optional[FrameworkCall], call: LLMCall) -> bool:
    """Whether the call is another integration's to report. That of LangChain, for one, does not see embeddings."""
    return above is not None and (call.operation != "embeddings" or above.sees_embeddings)


def _kind(call: LLMCall) -> str:
    """What repeats what: a chat may make embeddings, which are no part of its own counts."""
    return "embeddings" if call.operation == "embeddings" else "chat"


def _around(node: Node) -> Optional[Node]:
    """The span of a model call that this one is a part of. A tool, or an agent, that a model calls is no part of it."""
    outer = None if node.role == "work" else node.outer
    while outer is not None and outer.role != "work":
        role = outer.role if outer.role in ("inference", "work") else role_of(outer.span.attributes or {})
        if role == "work":
            return None
        if role == "inference" or outer.role == "unknown":
            return outer
        outer = outer.outer
    return None


def _is_metered(node: Node, run: AgentRun, call: LLMCall) -> bool:
    """Whether a metered client has recorded these embeddings. Their answers have no id: tokens and time must tell."""
    return any(
        other.operation == "embeddings"
        and other.usage == call.usage
        and call.started_at <= other.started_at <= other.ended_at <= call.ended_at
        and other.started_at not in node.root.embeddings
        for other in run.calls
    )


def _joined(call: LLMCall, inner: LLMCall) -> LLMCall:
    """A framework's call, with what only the span of the provider's client in it knows."""
    return replace(
        call,
        provider=call.provider or inner.provider,
        served_model=call.served_model or inner.served_model,
        response_id=call.response_id or inner.response_id,
        tier=call.tier or inner.tier,
    )


def _settled(call: LLMCall, held: tuple[LLMCall, ...]) -> LLMCall:
    """A call, with what the calls in it knew, none of which had usage. One that was answered is not made free."""
    if not held:
        return call
    inner = next((one for one in reversed(held) if one.chargeable), held[-1])
    return inner if not call.chargeable and inner.chargeable else _joined(call, inner)


def _unfinished(node: Node) -> LLMCall:
    known = call_of(node.span, dict(node.span.attributes or {}))
    now = moment(None)
    call = known or LLMCall(started_at=moment(node.span.start_time), ended_at=now)
    return replace(call, ended_at=now, usage=None, no_usage=NoUsage.UNFINISHED, response_id=None)
