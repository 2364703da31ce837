"""The span processor that bills."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from opentelemetry.sdk.trace import SpanProcessor
from typing_extensions import Unpack

from keito.billing import AgentBilling
from keito.billing.given import billing_of
from keito.billing.policy import PolicyFields
from keito.billing.seconds import check_seconds
from keito.metering.current import starting_run
from keito.outbox import FlushReport
from keito_otel.calls import attributes_of
from keito_otel.context import (
    LANGCHAIN,
    enter_node,
    enter_unseen,
    keep_in_context,
    leave_node,
    nearest_open,
    node_around,
)
from keito_otel.meter import CallMeter
from keito_otel.nodes import Node, Root
from keito_otel.roles import role_at_start, role_of
from keito_otel.routing import has_outcomes, tells_nothing
from keito_otel.runs import RunKeeper
from keito_otel.table import Picks, SpanTable

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

_log = logging.getLogger("keito.billing")

_OWN = "keito"
"""The scope of keito's own spans, which are nobody's work."""

_SWEEP_EVERY = 10.0
"""Seconds between two looks for roots that never end."""


class KeitoSpanProcessor(SpanProcessor):
    """Bills the runs of any agent whose framework emits GenAI spans.

        provider = TracerProvider()
        provider.add_span_processor(KeitoSpanProcessor())

    A root span with work of an agent in it becomes one time entry; the model calls in it, one expense; and the
    outcomes that it reports, outcomes. Roots are the first spans of a trace in this process. It needs no exporter,
    and keeps nothing of prompts and answers.

    Args:
        billing: Bills the runs; by default one that the environment and `policy_fields` describe.
        root: Picks the spans in which runs happen, by what is known of a span when it starts: `lambda span:
            span.name == "answer ticket"`. Work outside of those belongs to the first span of its trace, as without it.
        expire_after: Seconds after which a root in which nothing happens is billed as abandoned.
        **policy_fields: Fields of `BillingPolicy`, such as `project_id` or `outcome`.

    Raises:
        ValueError: The policy is incomplete or wrong, or `expire_after` negative; the message says what to set.
        KeitoAuthError: There are no credentials.
        TypeError: Both a billing and policy fields are given.
    """

    def __init__(
        self,
        billing: Optional[AgentBilling] = None,
        *,
        root: Optional[Picks] = None,
        expire_after: float = 3600.0,
        **policy_fields: Unpack[PolicyFields],
    ) -> None:
        check_seconds("expire_after", expire_after)
        self.billing = billing_of(billing, policy_fields)
        self._owns_billing = billing is None
        self._expire_after = expire_after
        self._sweep_every = min(_SWEEP_EVERY, expire_after)
        self._table = SpanTable(root)
        self._runs = RunKeeper(self.billing)
        self._meter = CallMeter(self.billing.account)
        self._swept_at = time.monotonic()
        self._warns_of_work = False
        keep_in_context()
        if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            _log.warning("OTEL_SDK_DISABLED is set: OpenTelemetry makes no spans, so nothing is billed by them")

    def on_start(self, span: Span, parent_context: Optional[Context] = None) -> None:
        """A span has started. It never raises."""
        try:
            self._started(span, parent_context)
        except Exception as error:  # the agent never breaks
            self.billing.guard.caught("on_start", error)

    def on_end(self, span: ReadableSpan) -> None:
        """A span has ended. It never raises."""
        try:
            node = self._table.pop(span)
            if node is not None:
                self._ended(node, span)
        except Exception as error:  # the agent never breaks
            self.billing.guard.caught("on_end", error)

    def flush(self, timeout: float = 10.0) -> FlushReport:
        """Send what is not delivered yet, within `timeout` seconds, and say where everything stands."""
        return self.billing.send(timeout)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """The same, for the tracer provider. It answers whether Keito has every record."""
        return self.flush(timeout_millis / 1000).complete

    def shutdown(self) -> None:
        """Bill what is still open as abandoned, and let go of a billing of its own."""
        for root in self._table.open_roots():
            self._give_up(root)
        if self._owns_billing:
            self._warns_of_work = True
            self.billing.close()

    def _started(self, span: Span, context: Optional[Context]) -> None:
        made_by = span.instrumentation_scope
        scope = made_by.name if made_by is not None else ""
        if scope == _OWN:
            return
        if self._table.is_full or time.monotonic() - self._swept_at > self._sweep_every:
            self._sweep()
        role = role_at_start(scope, span, attributes_of(span))
        before = nearest_open()
        around = node_around(before, scope) if role == "inference" else None
        is_unseen = scope == LANGCHAIN and keep_in_context()
        node = self._table.add(span, scope, context, around, role)
        if node is None:
            return
        if is_unseen:
            enter_unseen(node)
        if role != "other" or node.is_root:
            enter_node(node, before)
        if role != "other":
            if self._warns_of_work:
                self._warn_of_work()
            if node.root.run is None:
                self._runs.begin(node)
            if starting_run() is not node.root.run:
                self._runs.enter(node)
            self._meter.begin(node)

    def _warn_of_work(self) -> None:
        """An agent works after the shutdown."""
        self._warns_of_work = False
        _log.warning(
            "An agent works after the shutdown of its KeitoSpanProcessor: its records are not sent by this process, "
            "and stay in the outbox for the next one"
        )

    def _ended(self, node: Node, span: ReadableSpan) -> None:
        about = attributes_of(span)
        leave_node(node)
        is_root = node.is_root
        node.span = span
        try:
            self._read(node, about)
        except Exception as error:  # the run is billed with what is known
            self.billing.guard.caught("read", error)
        if is_root:
            self._meter.unfinished(self._table.close(node.root))
            self._meter.sums_only(node.root)
            self._runs.finish(node.root, span, about)
            self._runs.leave_root(node.root)
            node.root.rest()
        if node.entered is not None:
            self._runs.leave(node, node.entered)

    def _read(self, node: Node, about: Mapping[str, Any]) -> None:
        """Take over what a span tells by its end."""
        found = role_of(about)
        node.role = node.role if found == "other" else found
        has_outcome = has_outcomes(node.span, about)
        if node.role == "other" and not has_outcome:
            return
        if node.root.run is None:
            self._runs.begin(node)
        if not tells_nothing(about):
            self._runs.learn(node, about)
        self._meter.end(node, about)
        if has_outcome:
            self._runs.log_outcomes(node, about)

    def _sweep(self) -> None:
        self._swept_at = time.monotonic()
        waits = not self._table.is_full
        for root in self._table.overdue(self._expire_after):
            self._give_up(root, waits=waits)

    def _give_up(self, root: Root, *, waits: bool = False) -> None:
        try:
            root.is_lost = True
            self._meter.unfinished(self._table.close(root, waits=waits))
            self._meter.sums_only(root)
            self._runs.abandon(root)
            root.rest()
        except Exception as error:  # nobody waits for it
            self.billing.guard.caught("expire", error)
