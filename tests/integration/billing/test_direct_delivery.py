"""The direct delivery against a Keito that fails in the ways that servers and networks do."""

import asyncio
import logging
import socket
import time
from collections.abc import Iterator

import pytest

from keito import Keito, KeitoAuthError, KeitoValidationError
from keito.billing import AgentBilling, BillingPolicy, Outcome
from keito.outbox import DirectDelivery, FlushReport
from keito.sandbox import SandboxServer


@pytest.fixture
def policy(keito_sandbox: SandboxServer) -> BillingPolicy:
    return BillingPolicy(keito_sandbox.project_id, keito_sandbox.task_id, keito_sandbox.expense_category_id)


@pytest.fixture
def billing(policy: BillingPolicy, keito_client: Keito) -> Iterator[AgentBilling]:
    delivery = DirectDelivery(keito_client, timeout=0.5)
    billing = AgentBilling(policy, delivery=delivery)
    yield billing
    assert billing.guard.count == 0


def work(billing: AgentBilling) -> None:
    with billing.run(name="work") as run:
        run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1000, reported_cost="0.25")
        run.log_outcome(Outcome("ticket_resolved", 0.99))


def keys(client: Keito) -> "list[str]":
    records = [*client.time_entries.list(source="agent"), *client.expenses.list(source="agent")]
    return [(record.metadata or {})["keito"]["key"] for record in records]


def test_the_records_of_a_run_stand_on_keito_once(
    billing: AgentBilling, keito_client: Keito, keito_sandbox: SandboxServer
) -> None:
    work(billing)
    assert billing.flush() == FlushReport(delivered=3)
    posts = keito_sandbox.requests("POST")
    assert [post["headers"]["idempotency-key"] for post in posts] == sorted(keys(keito_client), key=_order)
    (expense,) = keito_client.expenses.list(source="agent")
    assert expense.total_cost == 0.25
    assert expense.metadata["keito"]["pricing"] == [{"model": "gpt-5-mini", "source": "provider"}]


def _order(key: str) -> int:
    return ["time", "outcome", "expense"].index(key.split("-")[1])


@pytest.mark.parametrize("action", ["drop_before", "drop_after"])
def test_a_lost_answer_is_never_sent_again(
    billing: AgentBilling, keito_client: Keito, keito_sandbox: SandboxServer, action: str
) -> None:
    keito_sandbox.faults.add(action, method="POST", path="/api/v2/time_entries")
    work(billing)
    assert billing.flush(3) == FlushReport(delivered=2, unsure=1)
    times = [key for key in keys(keito_client) if "-time-" in key]
    assert len(times) == (1 if action == "drop_after" else 0)


@pytest.mark.parametrize("action", ["delay", "drip"])
def test_an_agent_waits_for_a_hanging_keito_no_longer_than_one_timeout(
    billing: AgentBilling, keito_sandbox: SandboxServer, action: str
) -> None:
    keito_sandbox.faults.add(action, method="POST", path="*", times=10, seconds=20)
    begin = time.monotonic()
    work(billing)
    assert time.monotonic() - begin < 5
    keito_sandbox.faults.clear()
    assert billing.flush(5) == FlushReport(delivered=2, unsure=1)


def test_a_server_error_leaves_that_record_unsure_and_posts_the_others(
    billing: AgentBilling, keito_sandbox: SandboxServer
) -> None:
    keito_sandbox.faults.add("status", method="POST", path="/api/v2/time_entries", status=503)
    work(billing)
    assert billing.flush(3) == FlushReport(delivered=2, unsure=1)


def test_what_an_operator_puts_right_is_posted_by_the_next_flush(
    billing: AgentBilling, keito_client: Keito, keito_sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    keito_sandbox.faults.add("status", method="POST", path="*", times=3, status=401)
    with caplog.at_level(logging.WARNING, "keito.billing"):
        work(billing)
    assert billing.flush(0) == FlushReport(held=3)
    (said,) = caplog.messages
    assert "KEITO_API_KEY" in said
    assert "kto_" not in said
    assert billing.flush() == FlushReport(delivered=3)
    assert len(set(keys(keito_client))) == 3


def test_a_rate_limit_is_waited_for(billing: AgentBilling, keito_sandbox: SandboxServer) -> None:
    limit = {"status": 429, "headers": {"Retry-After": "1"}}
    keito_sandbox.faults.add("status", method="POST", path="/api/v2/expenses", **limit)
    work(billing)
    assert billing.flush(0) == FlushReport(delivered=2, held=1)
    assert billing.flush(10) == FlushReport(delivered=3)


def test_a_project_that_does_not_exist_holds_the_records(keito_client: Keito, policy: BillingPolicy) -> None:
    billing = AgentBilling(policy, keito_client, project_id="proj_nowhere")
    work(billing)
    assert billing.flush(1) == FlushReport(held=3)


def test_an_unreachable_keito_leaves_the_records_pending(policy: BillingPolicy) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with Keito(api_key="kto_sandbox", account_id="acc_sandbox", base_url=address) as client:
            billing = AgentBilling(policy, client)
            work(billing)
            report = billing.flush(0.5)
    assert report == FlushReport(pending=3)
    assert not report.complete


@pytest.fixture
def by_hand(policy: BillingPolicy, keito_client: Keito) -> AgentBilling:
    return AgentBilling(policy, keito_client, outbox="direct://")


def test_without_an_outbox_a_block_raises_what_keito_refuses(
    by_hand: AgentBilling, keito_client: Keito, keito_sandbox: SandboxServer
) -> None:
    keito_sandbox.faults.add("status", method="POST", status=401, times=0)
    with pytest.raises(KeitoAuthError), by_hand.run(name="work"):
        pass
    with pytest.raises(KeitoAuthError):
        by_hand.flush()
    assert by_hand.send(0) == FlushReport(held=1)  # what failed is kept, and not counted as lost
    keito_sandbox.faults.clear()
    assert by_hand.flush() == FlushReport(delivered=1)
    assert len(keys(keito_client)) == 1


def test_without_an_outbox_an_asynchronous_block_raises_too(
    by_hand: AgentBilling, keito_sandbox: SandboxServer
) -> None:
    keito_sandbox.faults.add("status", method="POST", status=422, times=0)

    async def work() -> None:
        async with by_hand.run(name="work"):
            pass

    with pytest.raises(KeitoValidationError):
        asyncio.run(work())


def test_the_error_of_the_block_itself_comes_first(by_hand: AgentBilling, keito_sandbox: SandboxServer) -> None:
    keito_sandbox.faults.add("status", method="POST", status=401, times=0)
    with pytest.raises(ZeroDivisionError), by_hand.run(name="work"):
        _ = 1 / 0
    assert by_hand.send(0).held == 1


def test_what_integrations_call_never_raises(by_hand: AgentBilling, keito_sandbox: SandboxServer) -> None:
    keito_sandbox.faults.add("status", method="POST", status=401, times=0)
    by_hand.finish(by_hand.start(name="work"))
    assert by_hand.send(0) == FlushReport(held=1)
    assert by_hand.guard.count == 0


def test_hooks_without_an_outbox_are_refused(policy: BillingPolicy, keito_client: Keito) -> None:
    with pytest.raises(ValueError, match="need an outbox"):
        AgentBilling(policy, keito_client, outbox="direct://", on_dead=print)
