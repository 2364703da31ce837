"""Many processes on one store: claiming at once, killed in the midst of it, and forked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from keito.outbox import RecordState, open_store

HERE = "acc_1@https://app.keito.io"

COMMON = """
import sys
from keito.outbox import BillingRecord, RecordKind, RecordState, open_store
from keito.outbox.stored import Settlement
HERE = "acc_1@https://app.keito.io"
store = open_store(sys.argv[1])
def record(key):
    return BillingRecord(key, RecordKind.TIME_ENTRY, {"project_id": "p", "spent_date": "2026-11-23", "hours": 1})
"""

CLAIMER = """
print("ready", flush=True)
sys.stdin.readline()
while claimed := store.claim(HERE, sys.argv[2], 7, 60):
    store.settle(sys.argv[2], [Settlement(one.key, RecordState.DELIVERED, api_id=sys.argv[2]) for one in claimed])
    print(*(one.key for one in claimed), flush=True)
store.close()
"""

WRITER = """
number = 0
while True:
    key = f"{sys.argv[2]}-{number}"
    store.add([record(key), record(key + "-b")], HERE, run_id=key)
    print(key, flush=True)
    number += 1
"""


@pytest.fixture
def start(store_url, program_environment):
    """Starts a program on the store."""
    started = []

    def start(program, name="-", **variables):
        command = [sys.executable, "-c", COMMON + program, store_url, name]
        environment = program_environment(**variables)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def test_no_record_is_claimed_by_two_processes(start, store, record):
    store.add([record(f"k{number}") for number in range(400)], HERE)
    processes = [start(CLAIMER, f"p{number}") for number in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    claimed = [process.communicate(timeout=60)[0].split() for process in processes]
    assert all(process.returncode == 0 for process in processes)
    everything = [key for keys in claimed for key in keys]
    assert sorted(everything) == sorted(f"k{number}" for number in range(400))
    assert {one.api_id for one in store.find(limit=400)} <= {"p0", "p1", "p2", "p3"}
    assert store.counts()[RecordState.DELIVERED] == 400
    assert all(one.attempts == 1 for one in store.find(limit=400))


def test_what_was_acknowledged_survives_a_kill(start, store):
    for turn in range(4):
        process = start(WRITER, f"w{turn}")
        for _ in range(5 + 7 * turn):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        acknowledged = {f"w{turn}-{number}" for number in range(5 + 7 * turn)}
        acknowledged |= set(process.stdout.read().split("\n")[:-1])
        process.wait(10)
        found = {one.key for one in store.find(limit=1_000_000)}
        assert acknowledged <= found
        # A run's records are there together or not at all.
        assert {key for key in found if not key.endswith("-b")} == {key[:-2] for key in found if key.endswith("-b")}
    assert store.counts()[RecordState.PENDING] == len(found)
    assert store.add([], HERE) == []


def wait_for(pid):
    deadline = time.monotonic() + 30
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError("the child hangs")
        time.sleep(0.01)


FORKER = """
import os
store.add([record("before")], HERE)
pid = os.fork()
if pid == 0:
    store.add([record("child")], HERE)
    assert store.claim(HERE, "child", 1, 60)[0].key == "before"
    store.wait(0)
    os._exit(0) if sys.argv[2] == "_exit" else sys.exit(0)
store.add([record("parent")], HERE)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
store.add([record("after")], HERE)
print(*sorted(one.key for one in store.find()))
store.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on Windows")
@pytest.mark.parametrize("end", ["_exit", "exit"])
def test_parent_and_child_use_a_store_side_by_side(start, end):
    process = start(FORKER, end)
    assert process.communicate(timeout=60)[0] == "after before child parent\n"
    assert process.returncode == 0


CHILD_STAYS = """
import os, time
store.add([record("before")], HERE)
parent_is_done, done = os.pipe()
pid = os.fork()
if pid == 0:
    store.add([record("child 1")], HERE)
    os.close(done)
    os.read(parent_is_done, 1)  # ends when the parent has closed the store and its end of the pipe
    for number in range(2, 20):
        store.add([record(f"child {number}")], HERE)
    store.close()
    os._exit(0)
os.close(parent_is_done)
while len(store.find()) < 2:
    time.sleep(0.01)
store.close()
os.close(done)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
print(store.counts()[RecordState.PENDING])
store.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on Windows")
def test_a_child_loses_nothing_when_its_parent_closes_the_store(start):
    process = start(CHILD_STAYS)
    assert process.communicate(timeout=60)[0] == "20\n"
    assert process.returncode == 0


BUSY_FORKER = """
import os, threading
store.add([record("first")], HERE)  # whatever is imported is imported before the first fork
stop = threading.Event()
def write(name):
    number = 0
    while not stop.is_set():
        store.add([record(f"{name}-{number}")], HERE)
        number += 1
threads = [threading.Thread(target=write, args=(name,)) for name in ("t1", "t2")]
for thread in threads:
    thread.start()
for fork in range(10):
    pid = os.fork()
    if pid == 0:
        store.add([record(f"fork-{fork}")], HERE)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
stop.set()
for thread in threads:
    thread.join()
found = store.find(limit=1_000_000)
print(sum(one.key.startswith("fork") for one in found), len(found) == len({one.key for one in found}))
store.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on Windows")
def test_a_fork_in_the_midst_of_other_threads_commits_hangs_nobody(start):
    # Python 3.12 warns of forks in processes with threads; that they work is what is tested.
    process = start(BUSY_FORKER, PYTHONWARNINGS="ignore::DeprecationWarning")
    assert process.communicate(timeout=60)[0] == "10 True\n"
    assert process.returncode == 0


def test_a_child_of_a_store_in_memory_has_none_of_its_parents_records(record):
    store = open_store("memory://")
    store.add([record("parent")], HERE)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if store.find() == [] and store.add([record("child")], HERE) else 1)
    assert wait_for(pid) == 0
    assert [one.key for one in store.find()] == ["parent"]
    store.close()


def test_threads_commit_together_and_each_hears_of_its_own(store, record):
    failures = []

    def work(name):
        for number in range(20):
            key = f"{name}-{number}"
            if store.add([record(key)], HERE) != [key] or store.add([record(key)], HERE) != []:
                failures.append(key)
            try:
                store.close_window(HERE, "none", lambda bodies, carried: ([], {}))
                store.settle("me", [])
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.counts()[RecordState.PENDING] == 160
