"""Automatic billing of an agent's runs."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Optional

from typing_extensions import Unpack

from keito.billing.block import RunBlock
from keito.billing.guard import Guard
from keito.billing.policy import BillingPolicy, PolicyFields
from keito.billing.records import records_for
from keito.metering import AgentRun, RunStatus
from keito.outbox import BillingRecord, Delivery, DirectDelivery, FlushReport

if TYPE_CHECKING:
    from keito.client import Keito

_log = logging.getLogger("keito.billing")


class AgentBilling:
    """Bills the runs of an agent: its time, its outcomes and what its model calls cost.

        billing = AgentBilling()
        with billing.run(name="Ticket 4821") as run:
            run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=900, output_tokens=120)
            run.log_outcome(Outcome("ticket_resolved", unit_price=0.99))

    Whatever goes wrong with the billing itself, the agent goes on; see `flush` and the log `keito.billing`.

    Args:
        policy: Where to bill to; by default what the environment and `policy_fields` say.
        client: Posts the records; by default one with the credentials of the environment.
        delivery: Gets the records to Keito in place of the client.
        **policy_fields: Fields of `BillingPolicy`, which win over the policy and over the environment.

    Raises:
        ValueError: The policy is incomplete or wrong; the message says what to set.
        KeitoAuthError: There are no credentials.
        TypeError: The client is not a `Keito`.
    """

    def __init__(
        self,
        policy: Optional[BillingPolicy] = None,
        client: Optional[Keito] = None,
        *,
        delivery: Optional[Delivery] = None,
        **policy_fields: Unpack[PolicyFields],
    ) -> None:
        self.policy = BillingPolicy.from_env(**policy_fields) if policy is None else replace(policy, **policy_fields)
        self.guard = Guard()
        self._own_client: Optional[Keito] = None
        if delivery is None:
            delivery = DirectDelivery(self._client_or_own(client))
        self._delivery = delivery
        self._said: set[tuple[str, str]] = set()

    def run(
        self, name: Optional[str] = None, *, trigger: Optional[str] = None, session_id: Optional[str] = None
    ) -> RunBlock:
        """A block of code that is one run, for `with` and `async with`; it gives the `AgentRun`.

        Inside another run of the same billing it is a part of that one, and billed with it.

        Args:
            name: What runs, for people: the text of the time entry.
            trigger: What started it, such as `webhook`.
            session_id: Joins the runs of one conversation.
        """
        return RunBlock(self, name, trigger, session_id)

    def start(
        self,
        name: Optional[str] = None,
        *,
        trigger: Optional[str] = None,
        session_id: Optional[str] = None,
        framework: Optional[str] = None,
        parent: Optional[AgentRun] = None,
    ) -> AgentRun:
        """Start a run that `finish` will end. For integrations; programs use `run`."""
        return AgentRun(
            name,
            agent_id=self.policy.agent_id,
            framework=framework,
            session_id=session_id,
            trigger=trigger,
            parent=parent,
            owner=self,
        )

    def finish(self, run: AgentRun, status: RunStatus = RunStatus.COMPLETED) -> None:
        """End a run and bill it, if it is a root. It never raises."""
        if self.end(run, status):
            self.bill(run)

    def end(self, run: AgentRun, status: RunStatus) -> bool:
        """End a run; answers whether it is to be billed now."""
        is_root = run.root is run
        if is_root and status is RunStatus.COMPLETED and self.policy.outcome is not None and run.is_open:
            run.log_outcome(self.policy.outcome)
        return run.end(status) and is_root

    def bill(self, run: AgentRun) -> None:
        """Hand the records of an ended run to the delivery. It never raises."""
        try:
            records = records_for(run, self.policy)
            self._say_what_is_missing(records[0])
            self._delivery.deliver(records)
        except Exception as error:  # the agent never breaks
            self.guard.caught("bill", error)

    def flush(self, timeout: float = 10.0) -> FlushReport:
        """Send what is not delivered yet, within `timeout` seconds, and say where everything stands."""
        return self._delivery.flush(timeout)

    def close(self) -> None:
        """Send what is not delivered yet, within a few seconds, and let go of the connections."""
        self._delivery.close()
        if self._own_client is not None:
            self._own_client.close()

    def _client_or_own(self, client: Optional[Keito]) -> Keito:
        # Imported here: the client brings httpx and pydantic along, which a fresh process pays for only once it bills.
        from keito.client import Keito  # noqa: PLC0415

        if client is None:
            client = self._own_client = Keito()
        if not isinstance(client, Keito):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"AgentBilling posts through a keito.Keito, also in async programs; got {client!r}")
        return client

    def _say_what_is_missing(self, record: BillingRecord) -> None:
        facts = record.body["metadata"]["keito"]
        gaps = [(str(row["model"]), str(row["reason"])) for row in facts.get("unpriced", ())]
        if "no_expense_category" in facts.get("flags", ()):
            gaps.append(("expense", "KEITO_EXPENSE_CATEGORY_ID is not set"))
        for what, reason in gaps:
            if (what, reason) not in self._said:
                self._said.add((what, reason))
                _log.warning("LLM cost not billed for %s: %s; its tokens are in the time entry", what, reason)
