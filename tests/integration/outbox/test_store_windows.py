"""Shares of windows, and the records that they become."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from keito.outbox import RecordState, open_store
from keito.outbox.stored import WindowShare

HERE, THERE = "acc_1@https://app.keito.io", "acc_2@https://app.keito.io"
PAST, FUTURE = 1_000.0, 4e9


def share(key, window="w", ends_at=PAST):
    return WindowShare(key, window, ends_at, f"body of {key}")


def never(bodies, carried):
    raise AssertionError("there is nothing to make")


def test_shares_become_records_once(store, record):
    assert store.add([record("a")], HERE, shares=[share("s1"), share("s2")]) == ["a", "s1", "s2"]
    store.add([], HERE, shares=[share("other", "v")])
    seen = []

    def make(bodies, carried):
        seen.append((list(bodies), dict(carried)))
        return [record("w-0"), record("w-1")], {}

    assert store.close_window(HERE, "w", make) == ["w-0", "w-1"]
    assert seen == [(["body of s1", "body of s2"], {})]
    assert store.close_window(HERE, "w", never) == []
    assert store.counts()[RecordState.PENDING] == 3
    assert store.due_windows(HERE) == ["v"]


def test_a_share_is_known_after_its_window_was_closed(store, record):
    store.add([], HERE, shares=[share("s1")])
    store.close_window(HERE, "w", lambda bodies, carried: ([record("w-0")], {}))
    assert store.add([], HERE, shares=[share("s1"), share("s2")]) == ["s2"]
    seen = []
    store.close_window(HERE, "w", lambda bodies, carried: (seen.extend(bodies), ([record("w-1")], {}))[1])
    assert seen == ["body of s2"]


def test_a_share_is_known_until_its_window_is_pruned(store, record):
    store.add([], HERE, shares=[share("s1")])
    store.close_window(HERE, "w", lambda bodies, carried: ([], {}))
    store.prune(3600)
    assert store.add([], HERE, shares=[share("s1")]) == []
    store.prune(-1)
    assert store.add([], HERE, shares=[share("s1")]) == ["s1"]


def test_windows_are_due_when_they_are_over(store):
    soon = store.now() + 0.3
    store.add([], HERE, shares=[share("s1", "later", FUTURE), share("s2", "soon", soon), share("s3", "past", PAST)])
    store.add([], THERE, shares=[share("s4", "elsewhere", PAST)])
    assert store.due_windows(HERE) == ["past"]
    assert store.due_windows(HERE, all_of_them=True) == ["past", "soon", "later"]
    assert store.next_window_end(HERE) == 0
    store.close_window(HERE, "past", lambda bodies, carried: ([], {}))
    assert 0 < store.next_window_end(HERE) <= 0.3
    deadline = time.monotonic() + 10
    while store.due_windows(HERE) != ["soon"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert store.next_window_end("nowhere") is None


def test_what_is_carried_over_belongs_to_the_destination(store):
    def carry(**changes):
        seen = {}

        def make(bodies, carried):
            seen.update(carried)
            return [], changes

        return make, seen

    for number, where in enumerate((HERE, HERE, THERE, HERE)):
        store.add([], where, shares=[share(f"s{number}", f"w{number}")])
    store.close_window(HERE, "w0", carry(place="0.004", other="0.1")[0])
    make, seen = carry(place="0.009", other="")
    store.close_window(HERE, "w1", make)
    assert seen == {"place": "0.004", "other": "0.1"}
    make, seen = carry()
    store.close_window(THERE, "w2", make)
    assert seen == {}
    make, seen = carry()
    store.close_window(HERE, "w3", make)
    assert seen == {"place": "0.009"}


def test_a_window_that_cannot_be_billed_stays_whole(store):
    store.add([], HERE, shares=[share("s1")])
    with pytest.raises(ZeroDivisionError):
        store.close_window(HERE, "w", lambda bodies, carried: 1 / 0)
    assert store.due_windows(HERE) == ["w"]


def test_two_who_close_a_window_make_its_records_once(store, store_url, record):
    other = open_store(store_url)
    for number in range(10):
        store.add([], HERE, shares=[share(f"s{number}", f"w{number}")])

    def close(which):
        def make(bodies, carried):
            return [record(f"{carried.get('n', '0')}-of-{which}")], {"n": str(int(carried.get("n", "0")) + 1)}

        keeper = (store, other)[which]
        return [keeper.close_window(HERE, f"w{number}", make) for number in range(10)]

    with ThreadPoolExecutor(2) as pool:
        made = [sum(map(len, keys)) for keys in pool.map(close, range(2))]
    assert sum(made) == 10
    assert store.counts()[RecordState.PENDING] == 10
    # Each closing saw what the one before it had carried over.
    assert sorted(int(one.key.split("-")[0]) for one in store.find()) == list(range(10))
    other.close()


def test_open_shares_count_towards_the_limit(store_url, record):
    from keito.outbox import OutboxError

    small = open_store(f"{store_url}{'&' if '?' in store_url else '?'}limit=2")
    small.add([], HERE, shares=[share("s1"), share("s2")])
    with pytest.raises(OutboxError, match="limit"):
        small.add([record("a")], HERE)
    small.close_window(HERE, "w", lambda bodies, carried: ([], {}))
    assert small.add([record("a")], HERE) == ["a"]
    small.close()
