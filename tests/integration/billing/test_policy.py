"""Policies, against a Keito: tenants, projects of their own, rollups, budgets."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Optional

import pytest

from keito import Keito
from keito.billing import AgentBilling, Budget, KeitoBudgetExceeded, Outcome
from keito.metering import RunStatus, check_budget, record_llm_call
from keito.outbox import FlushReport
from keito.sandbox import SandboxServer

Make = Callable[..., AgentBilling]
HOUR = 3_600_000_000_000


def spend(cost: str = "0.25") -> None:
    assert record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1000, reported_cost=cost)


def test_each_tenant_is_billed_to_the_project_of_its_client(make: Make, books: Any, second_project: str) -> None:
    billing = make(lambda run: by_tenant[run.attributes["tenant"]])
    by_tenant = {"acme": billing.policy, "second": replace(billing.policy, project_id=second_project, markup=2)}

    async def serve(tenant: str) -> None:
        async with billing.run(f"for {tenant}", attributes={"tenant": tenant}):
            spend()

    async def main() -> None:
        await asyncio.gather(*(serve(tenant) for tenant in ("acme", "second", "acme")))

    asyncio.run(main())
    assert sorted((entry.project_id, entry.notes) for entry in books.times) == sorted(
        [(billing.policy.project_id, "for acme")] * 2 + [(second_project, "for second")]
    )
    costs = sorted((expense.project_id == second_project, expense.total_cost) for expense in books.expenses)
    assert costs == [(False, 0.25), (False, 0.25), (True, 0.5)]


def test_a_child_with_its_own_project_is_billed_once_and_there(make: Make, books: Any, second_project: str) -> None:
    billing = make()
    with billing.run("around") as run:
        spend("0.25")
        with run.child("own", project_id=second_project) as own:
            spend("0.5")
            with own.child("part"):
                spend("1")
        with run.child("part"):
            spend("2")
    found = {entry.notes: (entry.project_id, entry.metadata["run"].get("parent_id")) for entry in books.times}
    assert found == {"around": (billing.policy.project_id, None), "own": (second_project, run.uid)}
    costs = {expense.project_id: expense.total_cost for expense in books.expenses}
    assert costs == {billing.policy.project_id: 2.25, second_project: 1.5}
    hours = {entry.notes: Decimal(str(entry.hours)) for entry in books.times}
    assert sum(hours.values()) <= Decimal(run.elapsed_ns) / HOUR + Decimal("0.000002")


def test_a_rollup_is_one_entry_and_one_expense_however_many_agents_work(make: Make, books: Any) -> None:
    billing = make(rollup="day", agent_id="bot")

    def work() -> None:
        for _ in range(50):
            with billing.run("ticket") as run:
                spend("0.0004")
                if run.uid < "4":
                    run.set_notes("x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert books.times == []
    assert billing.flush().complete
    entries, expenses = books.times, books.expenses
    assert sum(entry.metadata["keito"]["rollup"]["records"] for entry in entries) == 200
    assert sum(Decimal(str(expense.total_cost)) for expense in expenses) == Decimal("0.08")
    assert len(entries) == len(expenses) <= 2  # two where midnight lay in between
    assert {entry.metadata["session_id"] for entry in entries} == {e.metadata["session_id"] for e in expenses}


def test_a_rollup_that_could_not_be_sent_is_sent_by_the_next_flush_once(
    make: Make, books: Any, keito_sandbox: SandboxServer
) -> None:
    billing = make(rollup="day")
    for _ in range(3):
        with billing.run():
            spend()
    keito_sandbox.faults.add("status", method="POST", path="*", times=2, status=401)
    assert billing.flush(0.5).held >= 1
    assert billing.flush().complete
    assert billing.flush() == billing.flush()
    assert sum(expense.total_cost for expense in books.expenses) == 0.75


def test_a_run_of_three_days_is_an_entry_for_each(make: Make, books: Any) -> None:
    billing = make()
    run = billing.start("long")
    run._watch.started_at = datetime.now(timezone.utc).replace(hour=12, minute=0) - timedelta(days=3)
    run._watch._began -= 59 * HOUR
    billing.finish(run)
    assert billing.flush() == FlushReport(delivered=3)
    assert sorted(round(entry.hours, 1) for entry in books.times) == [12.0, 23.0, 24.0]
    assert len({entry.spent_date for entry in books.times}) == 3


def test_a_budget_stops_an_agent_and_what_it_used_is_billed(make: Make, books: Any) -> None:
    billing = make(budget=Budget(max_cost=Decimal(1), stop=True))

    def agent() -> None:
        while True:
            check_budget()
            spend()

    with pytest.raises(KeitoBudgetExceeded, match=r"cost 1\.00 of 1"), billing.run():
        agent()
    (expense,) = books.expenses
    assert expense.total_cost == 1
    assert books.times[0].metadata["keito"]["flags"] == ["budget_exceeded"]


def test_an_abandoned_run_bills_its_cost_and_neither_time_nor_outcomes(make: Make, books: Any) -> None:
    billing = make()
    with billing.start("left") as run:
        run.log_outcome(Outcome("done"))
        spend()
        billing.finish(run, RunStatus.ABANDONED)
    assert (len(books.outcomes), [entry.billable for entry in books.times]) == (0, [False])
    assert books.times[0].metadata["keito"]["status"] == "abandoned"
    assert [expense.total_cost for expense in books.expenses] == [0.25]


def test_a_client_that_was_closed_has_sent_nothing(keito_sandbox: SandboxServer, books: Any) -> None:
    client = Keito(api_key=keito_sandbox.api_key, account_id=keito_sandbox.account_id, base_url=keito_sandbox.url)
    billing = AgentBilling(client=client, project_id=keito_sandbox.project_id, task_id=keito_sandbox.task_id)
    client.close()
    with billing.run():
        pass
    assert billing.flush(0.1) == FlushReport(pending=1)
    assert books.times == []


def test_two_hundred_tenants_need_no_configuration_each(make: Make, books: Any, second_project: str) -> None:
    billing = make(rollup="day")
    for number in range(20):
        with billing.run(attributes={"tenant": number}, project_id=second_project if number % 2 else None):
            spend()
    billing.flush()
    assert sorted(expense.total_cost for expense in books.expenses) == [2.5, 2.5]


@pytest.mark.parametrize("ending", ["", "billing.close()", "raise SystemExit(3)"])
@pytest.mark.parametrize("outbox", ["direct://", None])
def test_a_program_that_ends_loses_no_open_windows(
    books: Any, sandbox_environment: Any, keito_client: Keito, ending: str, outbox: Optional[str]
) -> None:
    code = f"""
from keito.billing import AgentBilling
billing = AgentBilling(rollup="day", outbox={outbox!r})
for _ in range(3):
    with billing.run():
        pass
{ending}
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=sandbox_environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3 if "Exit" in ending else 0, "")
    if outbox is None:
        assert books.times == []  # the day goes on, and others may add to it
        billing = AgentBilling(client=keito_client, project_id="any", task_id="any")
        assert billing.flush().complete
        billing.close()
    assert sum(entry.metadata["keito"]["rollup"]["records"] for entry in books.times) == 3
