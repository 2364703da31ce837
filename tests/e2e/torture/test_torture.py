"""Agents and relays that are killed at any moment, on a network where anything happens.

The short form is a part of the tests. `make torture` kills as many processes as `KEITO_TORTURE_KILLS` says, on each
store with and without keys that the server honours. A failure names its seed; `KEITO_TORTURE_SEED` repeats its choices.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from keito import Keito
from keito.outbox import RecordState, open_store

KILLS = int(os.environ.get("KEITO_TORTURE_KILLS", "0"))
SEED = int(os.environ.get("KEITO_TORTURE_SEED", "0")) or random.SystemRandom().randrange(10**9)

# The longest that a request lives is a timeout to get there and a delay; then comes what a busy machine adds.
TIMEOUT, LONGEST_DELAY, QUIET = 0.5, 0.9, 3.0

AGENT = f"""
import os, random, sys, time
from decimal import Decimal
from keito import Keito
from keito.billing import AgentBilling, BillingPolicy, Outcome
from keito.outbox import OutboxDelivery

rng = random.Random(int(sys.argv[1]))
delivery = OutboxDelivery(
    os.environ["KEITO_OUTBOX_URL"], Keito(), mode=sys.argv[2], timeout={TIMEOUT}, quiet={QUIET}
)
billing = AgentBilling(BillingPolicy("proj_support", "task_tickets", "cat_llm", timezone="UTC"), delivery=delivery)
while True:
    cost = Decimal(rng.randint(1, 500)) / 100
    with billing.run(name="Torture") as run:
        run.record_llm_call(provider="p", model="m", input_tokens=9, output_tokens=1, reported_cost=cost)
        run.log_outcome(Outcome("ticket_resolved", unit_price="0.99"))
    print(run.uid, cost, flush=True)
    time.sleep(rng.random() * 0.1)
"""

RELAY = f"""
from keito.cli.chores import chores
from keito.outbox.relay.service import run_relay

run_relay(timeout={TIMEOUT}, quiet={QUIET}, chores=chores, ready=lambda _: print("ready", flush=True))
"""

FAULTS: list[dict[str, Any]] = [
    {"action": "drop_before"},
    {"action": "drop_after"},
    {"action": "truncate"},
    {"action": "drip", "seconds": 0.05},
    {"action": "delay", "seconds": LONGEST_DELAY},
    {"action": "delay", "seconds": 0.3},
    {"action": "status", "status": 500},
    {"action": "status", "status": 502, "body": "<html>Bad gateway</html>"},
    {"action": "status", "status": 503, "headers": {"Retry-After": "1"}},
    {"action": "status", "status": 504, "body": "<html>Timeout</html>"},
    {"action": "status", "status": 429, "headers": {"Retry-After": "1"}},
]


class Process:
    """An agent or a relay, and what it has said."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-c", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self._process.stdout, self.lines), (self._process.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, lines: list[str]) -> None:
        with stream:
            lines.extend(line for line in stream if line.endswith("\n"))

    def wait_until_it_works(self) -> None:
        deadline = time.monotonic() + 30
        while not self.lines and time.monotonic() < deadline:
            _let_pass(0.02)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()


class Torture:
    """Some processes on one store. They are killed, and others take their place."""

    def __init__(self, sandbox: Any, environment: dict[str, str], seed: int) -> None:
        self._rng = random.Random(seed)
        self._faults = sandbox.faults
        self._environment = environment
        self._roles = ["in_background", "in_background", "by_relay", "relay"]
        self._running = [self._start(role) for role in self._roles]
        self._dead: list[Process] = []
        self.kills = 0

    def _start(self, role: str) -> Process:
        arguments = [RELAY] if role == "relay" else [AGENT, str(self._rng.randrange(10**9)), role]
        return Process(arguments, self._environment)

    def go_on(self, kills: int, freezes: float) -> None:
        while self.kills < kills:
            for fault in self._rng.choices(FAULTS, k=self._rng.randint(0, 3)):
                method = self._rng.choice(["POST", "POST", "POST", "GET"])
                self._faults.add(**fault, method=method)
            place = self._rng.randrange(len(self._running))
            if self._rng.random() < 0.8:  # the others are killed while they start
                self._running[place].wait_until_it_works()
            _let_pass(self._rng.uniform(0.05, 0.9))
            if self._rng.random() < freezes:
                self._freeze(self._running[place])
            self._kill(place)
            self._running[place] = self._start(self._roles[place])

    def _freeze(self, process: Process) -> None:
        """Stop a process for longer than its leases, while others take over what it had claimed."""
        process.signal(signal.SIGSTOP)
        _let_pass(4 * TIMEOUT + QUIET)
        process.signal(signal.SIGCONT)
        _let_pass(0.3)

    def _kill(self, place: int) -> None:
        self._running[place].kill()
        self._dead.append(self._running[place])
        self.kills += 1

    def end(self) -> dict[str, Decimal]:
        """Kill all of them; answers what the agents were told is safe: runs and what they cost."""
        self._running[0].wait_until_it_works()  # on a busy machine none may have come so far
        self._faults.clear()
        for place in range(len(self._running)):
            self._kill(place)
        said = [line.split() for process in self._dead for line in process.lines if line != "ready\n"]
        return {uid: Decimal(cost) for uid, cost in said}

    def complaints(self) -> list[str]:
        """What should never be in a log."""
        return [line for process in self._dead for line in process.errors if "Traceback" in line or "times (" in line]


def _let_pass(seconds: float) -> None:
    """Random time is what this is about: it waits for nothing."""
    threading.Event().wait(seconds)


def _amounts(client: Keito) -> tuple[Counter[str], dict[str, Decimal]]:
    rows = [*client.time_entries.list(per_page=2000), *client.expenses.list(per_page=2000)]
    amounts = {}
    for row in rows:
        hours = getattr(row, "hours", None)
        amounts[row.metadata["keito"]["key"]] = Decimal(str(row.total_cost if hours is None else hours))
    return Counter(row.metadata["keito"]["key"] for row in rows), amounts


def _stored(url: str) -> dict[str, Decimal]:
    import json

    store, found, after = open_store(url), {}, None
    while True:
        page = store.find(after=after, limit=1000)
        if not page:
            store.close()
            return found
        for record in page:
            assert record.state is RecordState.DELIVERED, record
            body = json.loads(record.body, parse_float=Decimal, parse_int=Decimal)
            found[record.key] = body.get("total_cost", body.get("hours"))
        after = page[-1].key


def _wait_until_all_is_sent(url: str, seconds: float) -> None:
    store, deadline = open_store(url), time.monotonic() + seconds
    open_states = [state for state in RecordState if state is not RecordState.DELIVERED]
    while any(store.counts()[state] for state in open_states) or not store.counts()[RecordState.DELIVERED]:
        assert time.monotonic() < deadline, f"still open: {store.counts()}"
        time.sleep(0.1)
    store.close()


@pytest.mark.timeout(150 + 5 * KILLS)
@pytest.mark.parametrize("idempotency", [False, True] if KILLS else [False], ids=lambda on: "keys" if on else "no keys")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_record_is_on_keito_exactly_once(
    kind: str,
    idempotency: bool,
    request: pytest.FixtureRequest,
    tmp_path: Any,
    keito_sandbox: Any,
    keito_client: Keito,
    sandbox_environment: Any,
) -> None:
    url = f"sqlite:///{tmp_path / 'outbox.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    print(f"KEITO_TORTURE_SEED={SEED}")
    keito_sandbox.configure(idempotency=idempotency)
    environment = sandbox_environment(KEITO_OUTBOX_URL=url)
    torture = Torture(keito_sandbox, environment, SEED)
    try:
        torture.go_on(KILLS or 5, freezes=0.15 if KILLS else 0)
    finally:
        promised = torture.end()
    last = Process([RELAY], environment)
    try:
        _wait_until_all_is_sent(url, 60)
    finally:
        last.kill()

    times, amounts = _amounts(keito_client)
    stored = _stored(url)
    print(f"{torture.kills} kills, {len(promised)} runs promised, {len(stored)} records")
    assert [key for key, count in times.items() if count > 1] == []
    assert set(stored) == set(times)
    assert sum(stored.values()) == sum(amounts.values())
    for uid, cost in promised.items():
        assert {f"{uid}-time-0", f"{uid}-outcome-0", f"{uid}-expense-0"} <= set(times)
        assert amounts[f"{uid}-expense-0"] == cost
    assert promised
    assert torture.complaints() == []
