"""Automatic billing of an agent's runs."""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Optional

from typing_extensions import Unpack

from keito import telemetry
from keito.billing.account import Meters, RunAccount
from keito.billing.block import RunBlock
from keito.billing.correcting import Correcting
from keito.billing.delivering import Deliver, books_of, delivery_for
from keito.billing.guard import Guard
from keito.billing.policy import BillingPolicy, PolicyFields
from keito.billing.postings import Postings
from keito.billing.routing import Resolve, outcomes_of, route
from keito.billing.seconds import check_seconds
from keito.metering import AgentRun, RunStatus
from keito.metering.current import enclosing_run
from keito.outbox import Delivery, FlushReport

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.outbox.hooks import Hook


class AgentBilling(Correcting):
    """Bills the runs of an agent: its time, its outcomes and what its model calls cost.

        billing = AgentBilling()
        with billing.run(name="Ticket 4821") as run:
            run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=900, output_tokens=120)
            run.log_outcome(Outcome("ticket_resolved", unit_price=0.99))

    Whatever goes wrong with the billing itself, the agent goes on; see `flush` and the log `keito.billing`. Only with
    `direct://` a block of `run` raises what Keito refuses or does not receive, unless the block itself has raised.

    Args:
        policy: Where to bill to; by default what the environment and `policy_fields` say.
        client: Posts the records; by default one with the credentials of the environment.
        delivery: Gets the records to Keito in place of the client and the outbox.
        outbox: Where records are kept until Keito has them: `sqlite:///PATH`, `postgresql://...`, `memory://`, or
            `direct://` for nowhere. By default what `KEITO_OUTBOX_URL` says, else a file in the user's state directory.
        deliver: Who sends what is in the outbox: threads of this process, "in_background"; the same, and the end of a
            run waits for them, "on_exit_of_run"; or another process, "by_relay", which needs no API key here.
        on_delivered: Called with each record that Keito has, in a thread of its own.
        on_dead: The same for each record that Keito refuses for good.
        resolve: Chooses the policy of each run when it starts, such as that of the client whose tenant it works for.
            Where it gives `None` the run is billed by `policy`. Where it fails, too: the log says so, and the records
            have the flag `not_routed`.
        late_grace: For how many seconds after the end of a run late model calls, other usage and outcomes are still
            collected. They become one supplement to the records of the run, sent when that time is over or at the next
            flush. 0: what comes after the end is not billed.
        **policy_fields: Fields of `BillingPolicy`, which win over the policy and over the environment.

    Raises:
        ValueError: The policy is incomplete or wrong; the message says what to set. Or `late_grace` is negative.
        KeitoAuthError: There are no credentials.
        OutboxError: The outbox cannot be opened.
        TypeError: The client is not a `Keito`, the policy no `BillingPolicy`, or `resolve` no function.
    """

    def __init__(
        self,
        policy: Optional[BillingPolicy] = None,
        client: Optional[Keito] = None,
        *,
        delivery: Optional[Delivery] = None,
        outbox: Optional[str] = None,
        deliver: Deliver = "in_background",
        on_delivered: Optional[Hook] = None,
        on_dead: Optional[Hook] = None,
        resolve: Optional[Resolve] = None,
        late_grace: float = 60.0,
        **policy_fields: Unpack[PolicyFields],
    ) -> None:
        _check(policy, resolve)
        check_seconds("late_grace", late_grace)
        self.policy = BillingPolicy.from_env(**policy_fields) if policy is None else replace(policy, **policy_fields)
        self.guard = Guard()
        self._resolve = resolve
        self._client = client
        self._delivery = delivery or delivery_for(client, outbox, deliver, on_delivered, on_dead)
        self.meters = Meters()
        self._postings = Postings(self._delivery, self.guard, late_grace, books_of(self._delivery, self.guard))
        # What is late, and windows in memory: a program that ends without `close()` sends them still.
        weakref.finalize(self, self._postings.end)

    @property
    def may_stop(self) -> bool:
        """Whether a budget may stop an agent, so that frameworks must let `KeitoBudgetExceeded` through."""
        return self._resolve is not None or any(budget.stop for budget in self.policy.budgets)

    def run(
        self,
        name: Optional[str] = None,
        *,
        trigger: Optional[str] = None,
        session_id: Optional[str] = None,
        project_id: Optional[str] = None,
        task_id: Optional[str] = None,
        attributes: Optional[Mapping[str, Any]] = None,
    ) -> RunBlock:
        """A block of code that is one run, for `with` and `async with`; it gives the `AgentRun`.

        Inside another run of the same billing it is a part of that one, and billed with it; unless it names a project
        or task of its own. Then it is billed by itself, and the time of the run around it stands still meanwhile.
        The same holds inside a run of another billing that goes to the same account of Keito: under an equal policy
        it is a part, and under any other it is billed by itself. Runs for different accounts know nothing of each
        other.

        Args:
            name: What runs, for people: the text of the time entry.
            trigger: What started it, such as `webhook`.
            session_id: Joins the runs of one conversation.
            project_id: The project of this run, whatever the policy says.
            task_id: The same for the task.
            attributes: What the program knows of the run, such as `{"tenant": "acme"}`: for `resolve` and for notes.

        Raises:
            ValueError: An id is given and empty; it is raised when the block is entered.
        """
        fields: dict[str, Any] = {
            "name": name,
            "trigger": trigger,
            "session_id": session_id,
            "project_id": project_id,
            "task_id": task_id,
            "attributes": attributes,
        }
        return RunBlock(self, fields)

    def start(
        self,
        name: Optional[str] = None,
        *,
        trigger: Optional[str] = None,
        session_id: Optional[str] = None,
        framework: Optional[str] = None,
        parent: Optional[AgentRun] = None,
        project_id: Optional[str] = None,
        task_id: Optional[str] = None,
        attributes: Optional[Mapping[str, Any]] = None,
        started_at: Optional[datetime] = None,
    ) -> AgentRun:
        """Start a run that `finish` will end. For integrations; programs use `run`, and give `around()` as `parent`."""
        for field, value in (("project_id", project_id), ("task_id", task_id)):
            if value is not None and not value.strip():
                raise ValueError(f"{field} of a run is empty; leave it out to bill to the policy's")
        uid = uuid.uuid4().hex
        account = RunAccount(uid, self.policy, self.meters, self.guard)
        run = AgentRun(
            name,
            agent_id=self.policy.agent_id,
            framework=framework,
            session_id=session_id,
            trigger=trigger,
            parent=parent,
            owner=self,
            ledger=account,
            project_id=project_id,
            task_id=task_id,
            by_itself=parent is not None and not self._is_part_of(parent),
            attributes=attributes,
            uid=uid,
            started_at=started_at,
        )
        if run.root is run:
            route(run, account, self._resolve, self.policy, self.guard)
            self._begin(run)
        return run

    def around(self) -> Optional[AgentRun]:
        """The open run around this code that goes to the same account of Keito: the parent of a run that starts now."""
        return self.near(enclosing_run())

    def near(self, run: Optional[AgentRun]) -> Optional[AgentRun]:
        """`run`, if it goes to the same account of Keito."""
        owner = run.owner if run is not None else None
        is_near = isinstance(owner, AgentBilling) and (owner is self or owner.account == self.account)
        return run if is_near else None

    def is_same(self, other: AgentBilling) -> bool:
        """Whether both bill the same work in the same way to the same account, so that only one of them may."""
        if other is self:
            return True
        return self.policy == other.policy and self._resolve == other._resolve and self.account == other.account

    def finish(
        self, run: AgentRun, status: RunStatus = RunStatus.COMPLETED, *, elapsed_ns: Optional[int] = None
    ) -> Optional[Exception]:
        """End a run and bill it, if it is a root. It never raises.

        Args:
            run: Which one.
            status: How it ended.
            elapsed_ns: How long it took, if that is known better than by this process's clock.

        Returns:
            The error by which `direct://` has failed, for programs that bill by hand; else `None`.
        """
        return self.bill(run) if self.end(run, status, elapsed_ns=elapsed_ns) else None

    async def afinish(self, run: AgentRun, status: RunStatus = RunStatus.COMPLETED) -> Optional[Exception]:
        """The same without blocking the event loop. A cancelled task still waits for it to end."""
        if not self.end(run, status):
            return None
        from anyio import CancelScope  # noqa: PLC0415 - a program without async code does without
        from anyio.to_thread import run_sync  # noqa: PLC0415

        failure: Optional[Exception] = None  # a type checker takes a scope for one that swallows errors
        with CancelScope(shield=True):
            failure = await run_sync(self.bill, run)
        return failure  # noqa: RET504 - see above

    def end(self, run: AgentRun, status: RunStatus, *, elapsed_ns: Optional[int] = None) -> bool:
        """End a run; answers whether it is to be billed now. It never raises."""
        is_root = run.root is run
        if status is RunStatus.COMPLETED and run.waiting:
            status = RunStatus.PAUSED
        if is_root and status is RunStatus.COMPLETED and run.is_open:
            try:
                around = None if run.around is None else self.policy_of(run.around)
                logged = [run.log_outcome(outcome) for outcome in outcomes_of(run, self.policy_of(run), around)]
                has_failed = not all(logged)
            except Exception as error:  # the user's function; the agent never breaks
                self.guard.caught("outcome", error)
                has_failed = True
            if has_failed and isinstance(run.ledger, RunAccount):
                run.ledger.flags.add("outcome_failed")
        run.result = None
        return run.end(status, elapsed_ns=elapsed_ns) and is_root

    def policy_of(self, run: AgentRun) -> BillingPolicy:
        """What a run is billed by: what `resolve` chose for it, for the project and task that it names itself."""
        return run.ledger.policy if isinstance(run.ledger, RunAccount) else self.policy.routed(run)

    def bill(self, run: AgentRun) -> Optional[Exception]:
        """Hand the records of an ended run to the delivery; answers as `finish` does. It never raises."""
        return self._postings.bill(run, self.policy_of(run))

    def supplement(self, run: AgentRun, *, for_outcome: bool = False) -> Optional[AgentRun]:
        """The open run that takes what comes after the end of `run`; `None` once it is too late. It never raises."""
        try:
            account = run.ledger
            if not isinstance(account, RunAccount) or (for_outcome and not self.policy_of(run).bills_outcomes(run)):
                return None
            found = self._postings.supplements.of(run, lambda: self._begin(run.supplement(account.supplement())))
            self._postings.expect()
        except Exception as error:  # the agent never breaks
            self.guard.caught("supplement", error)
            return None
        return found

    def flush(self, timeout: float = 10.0) -> FlushReport:
        """Send what is not delivered yet, within `timeout` seconds, and say where everything stands.

        Rollups are sent as they are, also of an hour or day that goes on, and with what other processes have added to
        them in the outbox: what follows in it becomes a second entry.
        Supplements are sent as they are, too.

        Raises:
            KeitoError: Something is undelivered, and the outbox is `direct://`.
        """
        report = self.send(timeout)
        failure: Optional[Exception] = getattr(self._delivery, "failure", None)
        if failure is not None:
            raise failure
        return report

    def send(self, timeout: float = 10.0) -> FlushReport:
        """The same for integrations: it never raises."""
        self._postings.close()
        report = self._delivery.flush(timeout)
        lost = self._postings.lost
        return replace(report, dropped=report.dropped + lost) if lost else report

    def close(self) -> None:
        """Send what is not delivered yet, within a few seconds, and let go of the connections.

        What stays is in the outbox, where whoever sends next finds it. So do rollups of an hour or day that goes on.
        """
        self._postings.close(for_good=True)
        self._delivery.close()

    @property
    def account(self) -> object:
        """Which account of Keito the records go to, as something to compare."""
        return getattr(self._delivery, "destination", self._delivery)

    def _is_part_of(self, run: AgentRun) -> bool:
        """Whether work inside `run` that names no place is billed with it. What differs would be lost there."""
        if run.owner is self:
            return True
        return self._resolve is None and self.policy_of(run.root) == self.policy

    def _begin(self, run: AgentRun) -> AgentRun:
        telemetry.run_started(run)
        try:
            self._postings.begin(run)
        except Exception as error:  # it is billed when it ends, all the same
            self.guard.caught("journal", error)
        return run


def _check(policy: object, resolve: object) -> None:
    if policy is not None and not isinstance(policy, BillingPolicy):
        raise TypeError(f"policy is a keito.billing.BillingPolicy; got {policy!r}")
    if resolve is not None and not callable(resolve):
        raise TypeError(f"resolve is a function from a run to its policy; got {resolve!r}")
