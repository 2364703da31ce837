"""Agents that end, fork or are killed."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from keito.outbox.stored import RecordState

DELIVER = "delivery = OutboxDelivery(URL, Keito(), timeout=10, quiet=0.5)\n"


def test_a_program_that_ends_sends_before_it_is_gone(start: Any, keys: Any) -> None:
    process = start(DELIVER + "delivery.deliver([record(f'run-{n}') for n in range(20)])")
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert keys() == Counter(f"run-{n}" for n in range(20))


def test_a_program_ends_soon_when_nobody_answers_and_what_it_has_is_in_the_store(start: Any, store: Any) -> None:
    process = start(
        DELIVER + "delivery.deliver([record(f'run-{n}') for n in range(20)])\nprint('end', flush=True)",
        KEITO_BASE_URL="http://127.0.0.1:9",
    )
    assert process.stdout.readline() == "end\n"
    began = time.monotonic()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert time.monotonic() - began < 8
    assert store.counts()[RecordState.PENDING] == 20


def test_a_program_ends_soon_when_the_server_hangs(start: Any, store: Any, keito_sandbox: Any) -> None:
    keito_sandbox.faults.add("delay", seconds=60, times=0)
    process = start(DELIVER.replace("10", "60") + "delivery.deliver([record('run-0')])\nprint('end', flush=True)")
    assert process.stdout.readline() == "end\n"
    began = time.monotonic()
    process.communicate(timeout=30)
    assert time.monotonic() - began < 12
    assert store.counts()[RecordState.SENDING] == 1
    keito_sandbox.reset()


def test_a_killed_programs_records_are_sent_by_whoever_starts_next(start: Any, keys: Any, keito_sandbox: Any) -> None:
    keito_sandbox.configure(idempotency=False, latency=0.02)
    program = "delivery.deliver([record(f'run-{n}') for n in range(60)])\nprint('in', flush=True)\ntime.sleep(60)"
    killed = start(DELIVER.replace("10", "1") + program)
    assert killed.stdout.readline() == "in\n"
    killed.kill()
    killed.wait()
    successor = start(DELIVER + "delivery.deliver([record('next')])\nprint(delivery.flush(25))")
    out, _ = successor.communicate(timeout=60)
    assert "pending=0, held=0, dead=0, unsure=0" in out
    assert keys() == Counter([*(f"run-{n}" for n in range(60)), "next"])


def test_a_forked_child_sends_its_own_and_nothing_twice(start: Any, keys: Any, keito_sandbox: Any) -> None:
    keito_sandbox.configure(idempotency=False, latency=0.01)
    process = start(
        DELIVER
        + """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads
delivery.deliver([record(f"parent-{n}") for n in range(40)])
children = []
for child in range(2):
    pid = os.fork()
    if pid == 0:
        delivery.deliver([record(f"child{child}-{n}") for n in range(20)])
        report = delivery.flush(20)
        os._exit(0 if report.complete else 1)
    children.append(pid)
delivery.deliver([record("parent-last")])
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0]
print(delivery.flush(20).complete)
"""
    )
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, "True\n", "")
    wanted = [
        *(f"parent-{n}" for n in range(40)),
        "parent-last",
        *(f"child{c}-{n}" for c in range(2) for n in range(20)),
    ]
    assert keys() == Counter(wanted)


def test_delivery_is_bounded_and_whole_in_an_exit_handler(start: Any, keys: Any) -> None:
    program = (
        """
import atexit
atexit.register(lambda: delivery.deliver([record("at-exit")]))
"""
        + DELIVER
        + "delivery.deliver([record('run')])\nprint(delivery.flush(10).complete)\n"
    )
    process = start(program)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out, errors) == (0, "True\n", "")
    assert keys()["run"] == 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells of other processes")
def test_what_a_killed_program_was_sending_does_not_wait_for_the_end_of_its_lease(
    start: Any, store: Any, keys: Any, keito_sandbox: Any, until: Any
) -> None:
    keito_sandbox.configure(idempotency=False)
    keito_sandbox.faults.add("drop_after", method="POST")
    keito_sandbox.faults.add("delay", method="POST", seconds=60, times=2)
    killed = start(DELIVER + "delivery.deliver([record(f'run-{n}') for n in range(3)])\ntime.sleep(60)")
    until(lambda: len(keito_sandbox.requests("POST")) == 3)
    killed.kill()
    killed.wait()
    keito_sandbox.faults.clear()
    began = time.monotonic()
    successor = start(DELIVER + "print(delivery.flush(25))")
    out, _ = successor.communicate(timeout=60)
    assert "pending=0, held=0, dead=0, unsure=0" in out
    assert time.monotonic() - began < 20  # its lease is 31 seconds
    assert keys() == Counter(["run-0", "run-1", "run-2"])


WORKER = """
import os
from decimal import Decimal
from keito import Keito
from keito.outbox import BillingRecord, OutboxDelivery, RecordKind

made = []

def prepare():
    made.append(OutboxDelivery(os.environ["KEITO_OUTBOX_URL"], Keito(), quiet=0.5))

def work(key):
    made or prepare()
    body = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-11-23", "source": "agent",
            "hours": Decimal("0.25"), "metadata": {"keito": {"key": key}}}
    made[0].deliver([BillingRecord(key, RecordKind.TIME_ENTRY, body)])
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_children_of_multiprocessing_send_before_they_end(start: Any, keys: Any, tmp_path: Path, method: str) -> None:
    (tmp_path / "worker.py").write_text(WORKER)
    process = start(f"""
import multiprocessing, warnings, worker
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads
worker.prepare()
context = multiprocessing.get_context("{method}")
children = [context.Process(target=worker.work, args=(f"run-{{n}}",)) for n in range(2)]
for child in children:
    child.start()
for child in children:
    child.join()
os._exit(0)  # nobody is left who would send for them
""")
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert keys() == Counter(["run-0", "run-1"])
