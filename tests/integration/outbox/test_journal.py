"""The journal of open runs, on both stores."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from keito.outbox import BillingRecord, RecordKind
from keito.outbox.journal import Journal
from keito.outbox.process import is_gone, owner, worker
from keito.outbox.store import Store
from keito.outbox.stored import OpenRun

Eventually = Callable[[Callable[[], bool]], None]


class Told:
    """A run, as the journal asks for it."""

    destination = "acc@http://127.0.0.1"

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.name: Optional[str] = "first"

    def header(self) -> str:
        return f"header of {self.uid}"

    def text(self, event: Any) -> str:
        if isinstance(event, Exception):
            raise event
        return str(event)

    def news(self) -> Optional[str]:
        found, self.name = self.name, None
        return found


@pytest.fixture
def journal(store: Store) -> Iterator[Journal]:
    journal = Journal(store)
    yield journal
    for uid in list(journal._open):
        journal.end(uid)
    wait_until(lambda: journal._thread is None)


def wait_until(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def entered(store: Store) -> "dict[str, OpenRun]":
    """What a process sees for which all others are gone. It takes nothing away: the next one sees it as well."""
    seen = store.take_orphans(lambda name: True, f"reader-{time.monotonic_ns()}", 0.0)
    return {run.uid: run for run in seen}


def test_what_happens_in_a_run_is_in_the_store_soon(store: Store, journal: Journal) -> None:
    run = Told("a")
    journal.begin(run)
    for number in range(500):
        journal.note("a", number)
    begin = time.monotonic()
    wait_until(lambda: len(entered(store).get("a", NOTHING).events) == 501)
    assert time.monotonic() - begin < 5
    found = entered(store)["a"]
    assert (found.destination, found.header) == (run.destination, "header of a")
    assert sorted(found.events) == sorted(["first", *map(str, range(500))])
    assert [event for event in found.events if event != "first"] == [str(number) for number in range(500)]


NOTHING = OpenRun("", "", "", (), 0, 0)


def test_what_becomes_known_later_is_written_with_the_next_event(store: Store, journal: Journal) -> None:
    run = Told("a")
    journal.begin(run)
    wait_until(lambda: entered(store).get("a", NOTHING).events == ("first",))
    run.name = "second"
    journal.note("a", "call")
    wait_until(lambda: set(entered(store)["a"].events) == {"first", "call", "second"})


def test_a_run_that_ends_at_once_never_enters_the_store(store: Store, journal: Journal) -> None:
    for number in range(200):
        uid = f"short-{number}"
        journal.begin(Told(uid))
        journal.note(uid, "call")
        assert journal.end(uid) is False
    journal.begin(Told("long"))
    wait_until(lambda: "long" in entered(store))
    assert set(entered(store)) == {"long"}


def test_nothing_of_a_run_is_in_the_store_after_its_end(store: Store, journal: Journal) -> None:
    """Ends meet writes at every moment, in many threads."""

    def work(name: int) -> None:
        for number in range(40):
            uid = f"{name}-{number}"
            journal.begin(Told(uid))
            for _ in range(number % 4):
                journal.note(uid, "call")
                time.sleep(0.001 * (number % 13))
            journal.end(uid)
            store.add([record(uid)], Told.destination, run_id=uid)
            journal.note(uid, "late")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: journal._thread is None)
    assert entered(store) == {}
    assert len(store.find(limit=1000)) == 160


def record(uid: str) -> BillingRecord:
    return BillingRecord(f"{uid}-time-0", RecordKind.TIME_ENTRY, {"project_id": "p", "spent_date": "2026-11-23"})


def test_the_thread_ends_with_the_last_run_and_starts_with_the_next(journal: Journal) -> None:
    for uid in ("a", "b"):
        journal.begin(Told(uid))
        assert journal._thread is not None
        journal.end(uid)
        wait_until(lambda: journal._thread is None)


def test_a_run_that_cannot_be_written_is_no_harm_to_the_others(
    store: Store, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.begin(Told("bad"))
    journal.note("bad", ValueError("no text"))
    journal.begin(Told("good"))
    journal.note("good", "call")
    wait_until(lambda: len(entered(store).get("good", NOTHING).events) == 2)
    assert "Run bad cannot be written to the journal" in caplog.text
    assert "bad" not in entered(store)


def test_a_store_that_fails_is_tried_again_and_nothing_is_lost_or_written_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing:
        """Commits, and fails to say so."""

        def __init__(self) -> None:
            self.failures = 2

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def journal(self, *told: Any) -> None:
            store.journal(*told)
            self.failures -= 1
            if self.failures >= 0:
                raise OSError("disk full")

    monkeypatch.setattr("keito.outbox.journal._AFTER_ERROR", 0.01)
    failing: Any = Failing()
    journal = Journal(failing)
    journal.begin(Told("a"))
    for number in range(5):
        journal.note("a", number)
    wait_until(lambda: failing.failures < 0)
    journal.note("a", 5)
    wait_until(lambda: len(entered(store)["a"].events) == 7)
    assert "disk full" in caplog.text
    journal.end("a")
    wait_until(lambda: journal._thread is None)


def test_events_beyond_the_limit_are_left_out_and_counted(
    journal: Journal, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keito.outbox.journal._MOST_WAITING", 10)
    journal.begin(Told("a"))
    with journal._state:  # so that nothing is written meanwhile
        for number in range(15):
            journal.note("a", number)
    assert journal.left_out == 5
    journal.end("a")
    assert journal._waiting <= 0


PROGRAM = """
import os, sys, time
sys.path[:0] = [{tests!r}]
from test_journal import Told
from keito.outbox import open_store
from keito.outbox.journal import Journal
from keito.outbox.process import owner
store = open_store({url!r})
journal = Journal(store)
journal.begin(Told("run"))
journal.note("run", "call")
while not journal._open["run"].is_known or journal._writing:
    time.sleep(0.01)
print(owner(), flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells of other processes")
def test_the_runs_of_a_killed_process_are_found_at_once_and_those_of_a_frozen_one_are_not(
    store: Store, store_url: str, program_environment: "Callable[..., dict[str, str]]"
) -> None:
    program = PROGRAM.format(tests=str(Path(__file__).parent), url=store_url)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=program_environment()
    )
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    wait_until(lambda: is_gone(name) is False)
    process.send_signal(signal.SIGSTOP)
    assert store.take_orphans(is_gone, owner(), 1.0) == []
    process.kill()
    wait_until(lambda: is_gone(name) is True)
    (found,) = store.take_orphans(is_gone, f"{owner()}/test", 60.0)
    assert (found.uid, "call" in found.events) == ("run", True)
    assert store.take_orphans(is_gone, f"{owner()}/other", 60.0) == []
    process.wait()
    process.stdout.close()


def test_who_runs_elsewhere_cannot_be_seen() -> None:
    host, boot, namespace, pid, start = owner().split("/")
    assert is_gone(owner()) in (False, None)
    for other in (f"other/{boot}/{namespace}/{pid}/{start}", f"{host}/{boot}/9/{pid}/{start}", "nonsense", ""):
        assert is_gone(other) is None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells of other processes")
def test_a_number_that_another_process_has_by_now_is_not_the_process() -> None:
    host, boot, namespace, pid, start = owner().split("/")
    assert is_gone(f"{host}/{boot}/{namespace}/{pid}/{int(start) - 1}") is True
    assert is_gone(f"{host}/{boot}/{namespace}/{2**30}/{start}") is True


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork_the_run_is_the_parents(store: Store, journal: Journal) -> None:
    journal.begin(Told("parent"))
    wait_until(lambda: "parent" in entered(store))
    child = os.fork()
    if child == 0:
        journal.note("parent", "of the child")
        is_new = journal.end("parent") is False
        journal.begin(Told("child"))
        os._exit(0 if is_new and set(journal._open) == {"child"} else 1)
    assert os.waitpid(child, 0)[1] == 0
    journal.note("parent", "of the parent")
    wait_until(lambda: "of the parent" in entered(store)["parent"].events)
    assert "of the child" not in entered(store)["parent"].events


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells of other processes")
def test_a_process_that_proc_hides_is_not_taken_for_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    host, boot, namespace, _, start = owner().split("/")

    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)  # as for a process of another user
    assert is_gone(f"{host}/{boot}/{namespace}/{2**30}/{start}") is None


def test_each_worker_of_a_process_has_a_name_that_tells_of_the_process() -> None:
    assert worker() != worker()
    assert is_gone(worker()) == is_gone(owner())
