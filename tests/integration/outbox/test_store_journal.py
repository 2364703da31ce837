"""The journal of open runs: what is left of a process that was killed."""

from __future__ import annotations

import time

from keito.outbox import open_store

HERE = "acc_1@https://app.keito.io"


def gone(owner):
    return True


def nobody_knows(owner):
    return None


def uids(runs):
    return [run.uid for run in runs]


def test_an_orphan_has_everything_that_was_journalled(store):
    before = store.now()
    store.keep_alive("host:1", 60)
    store.journal({"u1": (HERE, "header")}, [("u1", 0, "first"), ("u1", 1, "second")], "host:1")
    store.journal({}, [("u1", 2, "third")], "host:1")
    (run,) = store.take_orphans(gone, "host:2", 60)
    assert (run.uid, run.destination, run.header) == ("u1", HERE, "header")
    assert run.events == ("first", "second", "third")
    assert before <= run.started_at <= run.seen_at <= store.now()


def test_what_is_journalled_twice_is_there_once(store):
    for _ in range(2):
        store.journal({"u1": (HERE, "header")}, [("u1", 0, "first"), ("u1", 1, "second")], "host:1")
    store.journal({"u1": (HERE, "another")}, [("u1", 1, "other"), ("u1", 2, "third")], "host:1")
    (run,) = store.take_orphans(gone, "host:2", 60)
    assert (run.header, run.events) == ("header", ("first", "second", "third"))


def test_events_are_ordered_by_their_number(store):
    store.journal({"u1": (HERE, "h")}, [("u1", number, str(number)) for number in (10, 2, 1)], "host:1")
    assert store.take_orphans(gone, "host:2", 60)[0].events == ("1", "2", "10")


def test_events_of_unknown_runs_are_left_out(store):
    store.journal({"u1": (HERE, "h")}, [("u1", 0, "a"), ("u2", 0, "b")], "host:1")
    store.journal({"u2": (HERE, "h")}, [], "host:1")
    assert [(run.uid, run.events) for run in store.take_orphans(gone, "host:2", 60)] == [("u1", ("a",)), ("u2", ())]


def test_records_take_their_run_out_of_the_journal(store, record):
    store.journal({"u1": (HERE, "h"), "u2": (HERE, "h")}, [("u1", 0, "a")], "host:1")
    store.add([record("u1-time-0")], HERE, run_id="u1")
    store.journal({}, [("u1", 1, "late")], "host:1")
    assert uids(store.take_orphans(gone, "host:2", 60)) == ["u2"]


def test_a_run_without_records_is_forgotten(store):
    store.journal({"u1": (HERE, "h"), "u2": (HERE, "h")}, [("u1", 0, "a")], "host:1")
    store.forget(["u1", "unknown"])
    assert uids(store.take_orphans(gone, "host:2", 60)) == ["u2"]


def test_a_run_entered_anew_has_no_old_events(store):
    store.journal({"u1": (HERE, "h")}, [("u1", 0, "old")], "host:1")
    store.forget(["u1"])
    store.journal({"u1": (HERE, "h")}, [("u1", 1, "new")], "host:1")
    assert store.take_orphans(gone, "host:2", 60)[0].events == ("new",)


def test_runs_of_the_living_are_left_alone(store):
    store.journal({"u1": (HERE, "h")}, [], "alive")
    store.journal({"u2": (HERE, "h")}, [], "dead")
    store.journal({"u3": (HERE, "h")}, [], "me")
    assert uids(store.take_orphans(lambda owner: owner == "dead", "me", 60)) == ["u2"]
    assert store.take_orphans(lambda owner: False, "me", 60) == []


def test_where_nobody_can_tell_the_lease_decides(store):
    store.keep_alive("silent", 60)
    store.journal({"u1": (HERE, "h")}, [], "silent")
    assert store.take_orphans(nobody_knows, "me", 60) == []
    store.keep_alive("silent", 0.05)
    deadline = time.monotonic() + 10
    while not (found := store.take_orphans(nobody_knows, "me", 60)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert uids(found) == ["u1"]


def test_a_journal_is_a_sign_of_life(store):
    store.journal({"u1": (HERE, "h")}, [], "busy")
    assert store.take_orphans(nobody_knows, "me", 60) == []


def test_one_process_gets_an_orphan(store, store_url):
    other = open_store(store_url)
    store.journal({"u1": (HERE, "h")}, [], "dead")

    def is_gone(owner):
        return owner == "dead"

    assert uids(store.take_orphans(is_gone, "me", 60)) == ["u1"]
    assert other.take_orphans(is_gone, "you", 60) == []
    assert other.take_orphans(nobody_knows, "you", 60) == []
    other.close()


def test_an_orphan_whose_taker_dies_is_taken_again(store):
    store.journal({"u1": (HERE, "h")}, [("u1", 0, "a")], "dead")
    first = store.take_orphans(gone, "dies, too", 60)
    second = store.take_orphans(gone, "me", 60)
    assert second == first


def test_processes_without_runs_are_pruned(store):
    store.keep_alive("old", -1)
    store.keep_alive("new", 60)
    store.journal({"u1": (HERE, "h")}, [], "new")
    store.prune(3600)
    assert uids(store.take_orphans(gone, "me", 60)) == ["u1"]
