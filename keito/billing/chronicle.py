"""An open run as the journal keeps it, and how it is read again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Optional

from keito.billing.account import Meters, RunAccount
from keito.billing.guard import Guard
from keito.billing.plain import policy_of, policy_text
from keito.billing.policy import BillingPolicy
from keito.billing.records import first_day
from keito.metering import AgentRun, LLMCall
from keito.metering.journal import About, RunEvent, event_of, event_text, run_of
from keito.metering.stopwatch import epoch_ns
from keito.outbox.stored import OpenRun

_UNHEARD_NS = 60 * 10**9
"""A process that lives is heard of more often than that."""


class RunChronicle:
    """Tells the journal about an open run.

    Args:
        run: The run.
        policy: What it is billed by.
        destination: Which Keito account its records go to.
    """

    def __init__(self, run: AgentRun, policy: BillingPolicy, destination: str) -> None:
        self.uid = run.uid
        self.destination = destination
        self._run = run
        self._policy = policy
        self._told: Optional[About] = None

    def header(self) -> str:
        """What the run is billed by, and how well this process can price."""
        policy = policy_text(self._policy, first_day(self._run, self._policy))
        return json.dumps({"policy": policy, "has_prices": has_prices()})

    def text(self, event: RunEvent) -> str:
        """An event as one line."""
        return event_text(event)

    def news(self) -> Optional[str]:
        """What is known of the run beside its events, if that has changed."""
        flags = self._run.ledger.flags if isinstance(self._run.ledger, RunAccount) else set[str]()
        about = About.of(self._run, flags)
        if about == self._told:
            return None
        text = event_text(about)
        self._told = about
        return text


@dataclass(frozen=True)
class AbandonedRun:
    """A run of the journal whose process is gone, rebuilt.

    Attributes:
        run: The run, ended.
        policy: What it is billed by.
        had_prices: Whether its own process could price model calls.
    """

    run: AgentRun
    policy: BillingPolicy
    had_prices: bool

    @classmethod
    def of(cls, found: OpenRun, guard: Guard) -> Optional[AbandonedRun]:
        """Rebuild a run; `None` if its process ended before it could say what it was.

        Raises:
            ValueError: What the journal has is no run.
            TypeError: A newer keito has written it.
        """
        header: dict[str, Any] = json.loads(found.header)
        policy = policy_of(header["policy"])
        events = [event_of(text) for text in found.events]
        about = next((event for event in reversed(events) if isinstance(event, About)), None)
        if about is None:
            return None
        account = RunAccount(about.uid, policy, Meters(), guard)
        account.flags.update(about.flags)
        run = _new_run(about, account)
        run_of(about, events, run, 0 if about.is_supplement else _elapsed_ns(found, about, events))
        return cls(run, policy, header["has_prices"])


def _elapsed_ns(found: OpenRun, about: About, events: Iterable[RunEvent]) -> int:
    """Until the process was last heard of; or until its last call ended, as far as that can be true."""
    seen = max(0, int((found.seen_at - found.started_at) * 10**9))
    begin = epoch_ns(about.started_at)
    last = max((epoch_ns(event.ended_at) - begin for event in events if isinstance(event, LLMCall)), default=0)
    return max(seen, min(last, seen + _UNHEARD_NS))


def has_prices() -> bool:
    """Whether the prices of models are installed here."""
    return find_spec("genai_prices") is not None


def _new_run(about: About, account: RunAccount) -> AgentRun:
    earlier = None
    if about.is_supplement:
        earlier = AgentRun(uid=about.parent_id, started_at=about.started_at)
        earlier.end(elapsed_ns=0)
    return AgentRun(
        about.name,
        agent_id=about.agent_id,
        framework=about.framework,
        session_id=about.session_id,
        trigger=about.trigger,
        supplement_to=earlier,
        ledger=account,
        attributes=about.attributes,
        uid=about.uid,
        started_at=about.started_at,
    )
