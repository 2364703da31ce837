"""What was billed is taken back, once, as far as Keito's API can."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from keito import Keito
from keito.billing import AgentBilling, BillingPolicy, CorrectionError, Outcome
from keito.outbox import OutboxDelivery, RecordState
from keito.outbox.stored import Settlement
from keito.sandbox import SandboxServer


@pytest.fixture
def billing(keito_client: Keito, keito_sandbox: SandboxServer) -> Iterator[AgentBilling]:
    billing = AgentBilling(
        client=keito_client,
        project_id=keito_sandbox.project_id,
        task_id=keito_sandbox.task_id,
        expense_category_id=keito_sandbox.expense_category_id,
    )
    yield billing
    assert billing.guard.count == 0
    billing.close()


def work(billing: AgentBilling) -> str:
    with billing.run("Ticket") as run:
        run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1000, reported_cost="0.25")
        run.log_outcome(Outcome("ticket_resolved", "0.99"))
    return run.uid


def test_what_can_be_deleted_is_and_what_cannot_is_noted(billing: AgentBilling, books: Any) -> None:
    uid = work(billing)
    assert billing.flush().complete
    (expense,) = books.expenses
    done = billing.void(uid, reason="wrong client")
    assert billing.flush().complete
    assert set(done.deleted) == {f"{uid}-time-0", f"{uid}-outcome-0"}
    assert (done.left, done.posted) == ((f"{uid}-expense-0",), (f"{uid}-expense-0-void",))
    assert (books.times, books.outcomes) == ([], [])
    note = next(found for found in books.expenses if found.id != expense.id)
    assert (note.total_cost, note.billable) == (0, False)
    assert note.metadata["keito"]["voids"] == {"key": f"{uid}-expense-0", "id": expense.id, "amount": "0.25"}
    assert "wrong client" in note.notes


def test_it_happens_once_however_often_it_is_said(billing: AgentBilling, books: Any) -> None:
    uid = work(billing)
    assert billing.flush().complete
    for _ in range(3):
        billing.void(uid, reason="wrong")
    assert billing.flush().complete
    assert (books.times, books.outcomes, len(books.expenses)) == ([], [], 2)


def test_what_was_not_sent_is_not_sent(billing: AgentBilling, books: Any, keito_sandbox: SandboxServer) -> None:
    keito_sandbox.faults.add("status", method="POST", path="*", times=100, status=401)
    uid = work(billing)
    assert billing.flush(5).held >= 1
    done = billing.void(uid, reason="wrong")
    keito_sandbox.faults.clear()
    assert len(done.withdrawn) == 3
    report = billing.flush()
    assert report.complete
    assert (books.times, books.outcomes, books.expenses) == ([], [], [])


@pytest.mark.parametrize(("state", "word"), [({"billed": True}, "billed"), ({"approved": True}, "approved")])
@pytest.mark.parametrize("kind", ["times", "expenses"])
def test_what_is_billed_or_approved_is_refused_and_nothing_is_changed(
    billing: AgentBilling, books: Any, keito_sandbox: SandboxServer, kind: str, state: "dict[str, bool]", word: str
) -> None:
    uid = work(billing)
    assert billing.flush().complete
    (record,) = getattr(books, kind)
    keito_sandbox.set_state("time_entries" if kind == "times" else "expenses", record.id, **state)
    with pytest.raises(CorrectionError, match=f"{uid}-.* is {word}.*nothing was changed"):
        billing.void(uid, reason="wrong")
    assert billing.flush().complete
    assert [len(found) for found in (books.times, books.outcomes, books.expenses)] == [1, 1, 1]


def test_an_entry_that_is_locked_is_left_with_a_note(
    billing: AgentBilling, books: Any, keito_sandbox: SandboxServer
) -> None:
    uid = work(billing)
    assert billing.flush().complete
    (entry,) = books.times
    keito_sandbox.set_state("time_entries", entry.id, locked=True)
    done = billing.void(uid, reason="wrong")
    assert billing.flush().complete
    assert set(done.left) == {f"{uid}-time-0", f"{uid}-expense-0"}
    note = next(found for found in books.times if found.id != entry.id)
    assert (note.hours, note.billable, note.metadata["keito"]["voids"]["id"]) == (0, False, entry.id)


def test_a_run_goes_to_another_project_without_being_there_twice(
    billing: AgentBilling, books: Any, second_project: str
) -> None:
    uid = work(billing)
    assert billing.flush().complete
    (before,) = books.times
    done = billing.replace(uid, reason="wrong client", project_id=second_project, notes="Ticket of another client")
    assert billing.replace(uid, reason="again", project_id=second_project).posted != ()
    assert billing.flush().complete
    (after,) = books.times
    assert (after.project_id, after.notes, after.hours) == (second_project, "Ticket of another client", before.hours)
    assert [found.project_id for found in books.outcomes] == [second_project]
    assert done.left == (f"{uid}-expense-0",)
    assert sum(Decimal(str(found.total_cost)) for found in books.expenses) == Decimal("0.25")


def test_a_supplement_goes_with_its_run(billing: AgentBilling, books: Any) -> None:
    uid = work(billing)
    with billing.run() as run:
        pass
    run.log_outcome(Outcome("ticket_resolved", "0.99"))
    assert billing.flush().complete
    assert f"{run.uid}-late-0-outcome-0" in billing.void(run.uid, reason="wrong").deleted
    assert [found.metadata["run"]["id"] for found in books.outcomes] == [uid]


def test_a_supplement_goes_with_its_run_also_behind_an_empty_one(billing: AgentBilling, books: Any) -> None:
    uid = work(billing)
    with billing.run() as run:
        pass
    run.record_llm_call(model="m", input_tokens=1, cached=True)
    assert billing.flush().complete
    run.log_outcome(Outcome("ticket_resolved", "0.99"))
    assert billing.flush().complete
    assert f"{run.uid}-late-1-outcome-0" in billing.void(run.uid, reason="wrong").deleted
    assert [found.metadata["run"]["id"] for found in books.outcomes] == [uid]


def test_what_comes_late_for_a_run_that_was_taken_back_is_not_billed(billing: AgentBilling, books: Any) -> None:
    with billing.run() as run:
        pass
    run.record_llm_call(model="m", input_tokens=1, reported_cost="0.25")  # and is not in the outbox yet
    billing.void(run.uid, reason="wrong")
    run.log_outcome(Outcome("ticket_resolved", "0.99"))
    assert billing.flush().complete
    assert (books.times, books.outcomes, books.expenses) == ([], [], [])


def test_what_has_come_late_is_replaced_with_its_run(billing: AgentBilling, books: Any, second_project: str) -> None:
    with billing.run() as run:
        pass
    run.log_outcome(Outcome("ticket_resolved", "0.99"))
    billing.replace(run.uid, reason="wrong client", project_id=second_project)
    assert billing.flush().complete
    assert [found.project_id for found in books.outcomes] == [second_project]


def test_a_run_goes_to_another_user(billing: AgentBilling, books: Any, keito_sandbox: SandboxServer) -> None:
    keito_sandbox.seed(users=[{"id": "usr_other", "role": "member"}])
    uid = work(billing)
    assert billing.flush().complete
    billing.replace(uid, reason="who worked", user_id="usr_other")
    assert billing.flush().complete
    assert {entry.user_id for entry in (*books.times, *books.outcomes)} == {"usr_other"}


def test_a_run_in_a_rollup_is_refused_also_where_its_outcome_stands_by_itself(
    keito_client: Keito, keito_sandbox: SandboxServer, books: Any
) -> None:
    place = {"project_id": keito_sandbox.project_id, "task_id": keito_sandbox.task_id}
    billing = AgentBilling(client=keito_client, rollup="day", **place)
    with billing.run() as run:
        run.log_outcome(Outcome("ticket_resolved", "0.99"))
    assert billing.flush().complete
    with pytest.raises(CorrectionError, match="are in a rollup"):
        billing.void(run.uid, reason="wrong")
    assert billing.flush().complete
    assert (len(books.times), len(books.outcomes)) == (1, 1)
    billing.close()


def test_a_run_that_nobody_knows_is_refused(billing: AgentBilling) -> None:
    with pytest.raises(CorrectionError, match="no records in the outbox"):
        billing.void("nonsense", reason="wrong")


def test_without_an_outbox_nothing_can_be_corrected(keito_client: Keito) -> None:
    billing = AgentBilling(client=keito_client, project_id="p", task_id="t", outbox="direct://")
    with pytest.raises(CorrectionError, match="without an outbox"):
        billing.void("run", reason="wrong")


def test_a_withdrawn_record_stays_withdrawn(billing: AgentBilling, keito_sandbox: SandboxServer) -> None:
    keito_sandbox.faults.add("status", method="POST", path="*", times=100, status=400)
    uid = work(billing)
    billing.flush(5)
    billing.void(uid, reason="wrong")
    store: Any = billing._delivery.store  # type: ignore[attr-defined]
    assert store.release(None, [RecordState.HELD, RecordState.DEAD]) == 0
    assert {record.state for record in store.find(run_id=uid)} == {RecordState.WITHDRAWN}


def test_a_replacement_that_was_interrupted_is_made_when_it_is_said_again(
    billing: AgentBilling, books: Any, second_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = work(billing)
    assert billing.flush().complete
    with monkeypatch.context() as patch:
        patch.setattr("keito.billing.corrections._anew", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            billing.replace(uid, reason="wrong client", project_id=second_project)
    assert books.times == []
    done = billing.replace(uid, reason="wrong client", project_id=second_project)
    assert f"{uid}-time-0-r" in done.posted
    assert billing.flush().complete
    assert [found.project_id for found in (*books.times, *books.outcomes)] == [second_project] * 2


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_was_taken_back_for_good_is_not_posted_by_a_later_replacement(billing: AgentBilling, books: Any) -> None:
    uid = work(billing)
    assert billing.flush().complete
    billing.replace(uid, reason="other text", notes="Ticket")
    assert billing.flush().complete
    billing.void(uid, reason="wrong")
    assert set(billing.replace(uid, reason="other text", notes="Ticket 2").posted) <= {f"{uid}-expense-0-void"}
    assert billing.flush().complete
    assert (books.times, books.outcomes) == ([], [])


def test_what_a_relay_sends_in_the_midst_of_it_is_deleted_and_not_forgotten(
    keito_client: Keito, keito_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = BillingPolicy(keito_sandbox.project_id, keito_sandbox.task_id)
    delivery = OutboxDelivery("memory://", destination="here", mode="by_relay")
    billing = AgentBilling(policy, keito_client, delivery=delivery)
    with billing.run() as run:
        pass
    withdraw = delivery.store.withdraw

    def overtaken(key: str, state: RecordState, reason: str) -> bool:
        if state is RecordState.PENDING:
            delivery.store.claim("here", "relay", 1, 60)
            delivery.store.settle("relay", [Settlement(key, RecordState.DELIVERED, api_id="te_1")])
        return withdraw(key, state, reason)

    monkeypatch.setattr(delivery.store, "withdraw", overtaken)
    assert billing.void(run.uid, reason="wrong").deleted == (f"{run.uid}-time-0",)
    (record,) = delivery.store.find(run_id=run.uid)
    assert record.state is RecordState.WITHDRAWN
    delivery.close()
