"""Records in a store: what is added, found and counted."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from keito.outbox import OutboxError, RecordKind, RecordState, open_store
from keito.outbox.stored import Settlement

HERE, THERE = "acc_1@https://app.keito.io", "acc_2@https://app.keito.io"


def numbers(store, destination=None):
    return {state.value: number for state, number in store.counts(destination).items() if number}


def keys(records):
    return [record.key for record in records]


def test_a_record_is_kept_as_it_will_be_sent(store, record):
    expense = record("u-expense-0", RecordKind.EXPENSE, total_cost=Decimal("0.10"), hours=Decimal(0), notes="ü \0 €")
    before = store.now()
    assert store.add([expense], HERE, run_id="u") == ["u-expense-0"]
    (found,) = store.find(key="u-expense-0")
    assert found.body.startswith('{"project_id":"proj_1","task_id":"task_1","spent_date":"2026-11-23","hours":0,')
    assert '"total_cost":0.1' in found.body
    assert json.loads(found.body)["notes"] == "ü \0 €"
    assert (found.kind, found.destination, found.run_id) == (RecordKind.EXPENSE, HERE, "u")
    assert (found.project_id, found.spent_date, found.state) == ("proj_1", "2026-11-23", RecordState.PENDING)
    assert (found.attempts, found.sent_at, found.api_id, found.members) == (0, None, None, ())
    assert before <= found.created_at == found.changed_at == found.not_before <= store.now()


def test_the_members_of_a_rollup_are_kept(store, record):
    from dataclasses import replace

    store.add([replace(record("w"), members=("u1-time-0", "u2-time-0"))], HERE)
    assert store.find(key="w")[0].members == ("u1-time-0", "u2-time-0")


def test_the_first_record_of_a_key_counts(store, record):
    assert store.add([record("a", hours=1)], HERE) == ["a"]
    assert store.add([record("a", hours=2), record("b"), record("b", hours=3)], THERE) == ["b"]
    assert '"hours":1,' in store.find(key="a")[0].body
    assert store.find(key="a")[0].destination == HERE
    assert numbers(store) == {"pending": 2}


def test_a_record_that_is_no_json_leaves_nothing_behind(store, record):
    with pytest.raises(ValueError, match="not JSON"):
        store.add([record("a"), record("b", notes={1, 2})], HERE)
    assert store.find() == []


def test_records_are_there_when_the_store_is_opened_again(store, store_url, record):
    store.add([record("a")], HERE)
    store.close()
    again = open_store(store_url)
    assert keys(again.find()) == ["a"]
    again.close()


def test_a_store_that_was_closed_opens_anew(store, record):
    store.add([record("a")], HERE)
    store.close()
    assert store.add([record("b")], HERE) == ["b"]
    assert keys(store.find()) == ["a", "b"]


def test_find_filters_and_goes_on_after_a_key(store, record):
    store.add([record("a"), record("b")], HERE, run_id="r1")
    store.add([record("c"), record("d")], THERE, run_id="r2")
    store.add([record("e")], HERE, run_id="r2")
    (claimed,) = store.claim(HERE, "me", 1, 60)
    store.settle("me", [Settlement(claimed.key, RecordState.DELIVERED, api_id="te_1")])
    assert keys(store.find()) == ["a", "b", "c", "d", "e"]
    assert keys(store.find(limit=2)) == ["a", "b"]
    assert keys(store.find(after="b", limit=2)) == ["c", "d"]
    assert keys(store.find(destination=HERE)) == ["a", "b", "e"]
    assert keys(store.find(destination=HERE, after="a", limit=1)) == ["b"]
    assert keys(store.find(states=[RecordState.PENDING])) == ["b", "c", "d", "e"]
    assert keys(store.find(states=[RecordState.DELIVERED, RecordState.PENDING], limit=3)) == ["a", "b", "c"]
    assert keys(store.find(run_id="r2")) == ["c", "d", "e"]
    assert keys(store.find(run_id="r2", destination=THERE, after="c")) == ["d"]
    assert keys(store.find(run_id="r1", states=[RecordState.DELIVERED])) == ["a"]
    assert store.find(key="a", states=[RecordState.PENDING]) == []
    assert store.find(key="z") == store.find(run_id="z") == store.find(destination="z") == store.find(states=[]) == []


def test_find_does_not_take_an_unknown_key_for_the_end(store):
    with pytest.raises(ValueError, match="no record z"):
        store.find(after="z")


def test_counts_go_by_destination(store, record):
    store.add([record("a"), record("b")], HERE)
    store.add([record("c")], THERE)
    store.claim(HERE, "me", 1, 60)
    assert numbers(store) == {"pending": 2, "sending": 1}
    assert numbers(store, HERE) == {"pending": 1, "sending": 1}
    assert numbers(store, THERE) == {"pending": 1}
    assert store.counts("nowhere") == dict.fromkeys(RecordState, 0)


def test_counts_follow_every_change(store, record):
    store.add([record(key) for key in "abcdef"], HERE)
    store.claim(HERE, "me", 6, 60)
    states = (RecordState.DELIVERED, RecordState.UNSURE, RecordState.HELD, RecordState.DEAD, RecordState.PENDING)
    store.settle("me", [Settlement(key, state) for key, state in zip("abcde", states)])
    assert numbers(store) == {"delivered": 1, "unsure": 1, "held": 1, "dead": 1, "pending": 1, "sending": 1}
    store.release(HERE, [RecordState.HELD])
    store.prune(-1)
    assert numbers(store) == {"unsure": 1, "dead": 1, "pending": 2, "sending": 1}


def test_the_oldest_pending_record_has_an_age(store, record):
    assert store.oldest_pending() is store.oldest_pending(HERE) is None
    store.add([record("a")], HERE)
    store.add([record("b")], HERE)
    created = store.find(key="a")[0].created_at
    age = store.oldest_pending(HERE)
    assert age is not None
    assert 0 <= age <= store.now() - created
    assert store.oldest_pending(THERE) is None
    store.claim(HERE, "me", 2, 60)
    assert store.oldest_pending() >= age
    store.settle("me", [Settlement("a", RecordState.DEAD), Settlement("b", RecordState.HELD)])
    assert store.oldest_pending() is None


def test_only_what_was_delivered_long_ago_is_pruned(store, record):
    store.add([record(key) for key in "abc"], HERE)
    store.claim(HERE, "me", 2, 60)
    store.settle("me", [Settlement("a", RecordState.DELIVERED), Settlement("b", RecordState.DEAD)])
    assert store.prune(3600) == 0
    assert store.prune(-1) == 1
    assert keys(store.find()) == ["b", "c"]


def test_pruning_goes_on_until_nothing_is_left(store, record):
    store.add([record(f"k{number}") for number in range(2_100)], HERE)
    store.claim(HERE, "me", 3_000, 60)
    store.settle("me", [Settlement(f"k{number}", RecordState.DELIVERED) for number in range(2_100)])
    assert store.prune(-1) == 2_100
    assert numbers(store) == {}


def test_delivered_since_counts_from_a_moment_on(store, record):
    store.add([record("a"), record("b")], HERE)
    store.claim(HERE, "me", 2, 60)
    start = store.now()
    store.settle("me", [Settlement("a", RecordState.DELIVERED)])
    store.settle("me", [Settlement("b", RecordState.DELIVERED)])
    second = store.find(key="b")[0].changed_at
    assert store.delivered_since(HERE, start) == 2
    assert store.delivered_since(HERE, second) == 1
    assert store.delivered_since(HERE, second + 1) == store.delivered_since(THERE, start) == 0


def test_a_store_takes_no_more_than_its_limit(store_url, record):
    small = open_store(f"{store_url}{'&' if '?' in store_url else '?'}limit=3")
    small.add([record("a"), record("b")], HERE)
    with pytest.raises(OutboxError, match="limit of 3 undelivered records"):
        small.add([record("c"), record("d")], HERE)
    assert keys(small.find()) == ["a", "b"]
    small.add([record("c")], HERE)
    with pytest.raises(OutboxError):
        small.add([record("d")], HERE)
    small.claim(HERE, "me", 1, 60)
    small.settle("me", [Settlement("a", RecordState.DELIVERED)])
    assert small.add([record("d")], HERE) == ["d"]
    small.close()


def hear_the_old(store):
    """Wait until what happened before is no news any more."""
    while store.wait(0.3):
        pass


def test_a_wait_ends_when_something_is_added_here(store, record):
    hear_the_old(store)
    assert store.wait(0.01) is False
    store.add([record("a")], HERE)
    assert store.wait(5) is True


def test_a_wait_ends_when_somebody_else_adds_something(store, store_url, record):
    from threading import Thread

    other = open_store(store_url)
    hear_the_old(store)
    adding = Thread(target=other.add, args=([record("a")], HERE))
    adding.start()
    assert store.wait(10) is True
    adding.join()
    other.close()


def test_each_waiting_thread_hears_of_an_addition(store, record):
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    ready = Barrier(4)

    def wait():
        hear_the_old(store)
        ready.wait(10)
        return store.wait(10)

    with ThreadPoolExecutor(3) as pool:
        waits = [pool.submit(wait) for _ in range(3)]
        ready.wait(10)
        store.add([record("a")], HERE)
        assert [wait.result() for wait in waits] == [True, True, True]


def test_wake_ends_a_wait(store):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.wait, 60)
        store.wake()
        assert waiting.result(timeout=10) is True
