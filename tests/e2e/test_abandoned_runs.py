"""An agent that is killed, frozen or forked in the midst of a run: what it used is billed, once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from keito import Keito
from keito.billing import AgentBilling, bookkeeping
from keito.billing.recovery import recover
from keito.outbox import open_store
from keito.sandbox import SandboxServer

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells at once who is gone")

AGENT = """
import sys, threading, time
from keito.billing import AgentBilling
billing = AgentBilling({fields})
with billing.run("Ticket 4821") as run:
    for number in range({calls}):
        run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1000, reported_cost="0.001")
    time.sleep(0.5)  # the journal is at most 0.2 seconds behind
    print("used", flush=True)
    sys.stdin.readline()
    {more}
print(billing.flush(), flush=True)
"""


@pytest.fixture
def account(sandbox_environment: Any) -> "dict[str, str]":
    environment: dict[str, str] = sandbox_environment()
    return environment


@contextmanager
def agent(
    account: "dict[str, str]", calls: int, more: str = "pass", fields: str = ""
) -> "Iterator[subprocess.Popen[str]]":
    code = AGENT.format(calls=calls, more=more, fields=fields)
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=account, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "used\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()


def start_anew(keito_client: Keito, keito_sandbox: SandboxServer) -> AgentBilling:
    """The next start of any program on the same outbox."""
    bookkeeping._recovered.clear()
    return AgentBilling(client=keito_client, project_id=keito_sandbox.project_id, task_id=keito_sandbox.task_id)


def costs(client: Keito) -> "list[Any]":
    return [Decimal(str(expense.total_cost)) for expense in client.expenses.list(source="agent")]


@pytest.mark.parametrize("calls", [3, 700])
def test_the_next_start_bills_what_a_killed_agent_has_used(
    account: "dict[str, str]", keito_client: Keito, keito_sandbox: SandboxServer, calls: int
) -> None:
    with agent(account, calls) as process:
        kill(process)
        billing = start_anew(keito_client, keito_sandbox)
        wait_until(lambda: open_store(account["KEITO_OUTBOX_URL"]).find() != [])
        assert billing.flush().complete
        again = start_anew(keito_client, keito_sandbox)
        assert again.flush().complete
    assert costs(keito_client) == [Decimal("0.001") * calls]
    (entry,) = keito_client.time_entries.list(source="agent")
    facts = entry.metadata["keito"]
    assert (facts["status"], facts["calls"], entry.billable) == ("abandoned", calls, False)
    assert entry.notes == "Ticket 4821"
    assert 0 < entry.hours < 60 / 3600


def test_an_agent_that_is_only_frozen_bills_itself(
    account: "dict[str, str]", keito_client: Keito, keito_sandbox: SandboxServer
) -> None:
    with agent(account, 3) as process:
        process.send_signal(signal.SIGSTOP)
        billing = start_anew(keito_client, keito_sandbox)
        assert billing.flush().complete
        assert costs(keito_client) == []
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate("go on\n", timeout=60)
        assert "delivered=2" in out
    assert costs(keito_client) == [Decimal("0.003")]


def test_a_run_that_was_closed_by_another_is_billed_for_what_came_later_and_once(
    account: "dict[str, str]", keito_client: Keito, keito_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after the sleep of a laptop, where another machine could not see that the process lived."""
    more = 'run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1, reported_cost="0.5")'
    with agent(account, 3, more) as process:
        process.send_signal(signal.SIGSTOP)
        store = open_store(account["KEITO_OUTBOX_URL"])
        with monkeypatch.context() as blind:
            blind.setattr("keito.billing.recovery.is_gone", lambda name: True)
            assert recover(store) == 1
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate("go on\n", timeout=60)
        assert "dead=0" in out
    store.close()
    assert sum(costs(keito_client)) == Decimal("0.503")
    keys = [entry.metadata["keito"]["key"] for entry in keito_client.time_entries.list(source="agent")]
    assert len(keys) == len(set(keys))


FORK = """
import os, sys, time
from keito.billing import AgentBilling
billing = AgentBilling()
with billing.run("parent") as run:
    run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1000, reported_cost="0.001")
    child = os.fork()
    run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1000, reported_cost="0.002")
    if child:
        os.waitpid(child, 0)
if not child:
    with billing.run("child") as own:
        own.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1000, reported_cost="0.004")
report = billing.flush()
assert report.complete, report
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_run_that_goes_on_in_a_forked_child_is_billed_by_the_parent(
    account: "dict[str, str]", keito_client: Keito
) -> None:
    account["PYTHONWARNINGS"] = "ignore"
    subprocess.run([sys.executable, "-c", FORK], env=account, check=True, timeout=60)
    assert sorted(costs(keito_client)) == [Decimal("0.003"), Decimal("0.004")]
    assert sorted(entry.notes for entry in keito_client.time_entries.list(source="agent")) == ["child", "parent"]
