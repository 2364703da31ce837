"""Who may send a record, and what becomes of it."""

from __future__ import annotations

import time

import pytest

from keito.outbox import RecordKind, RecordState, open_store
from keito.outbox.stored import Settlement

HERE, THERE = "acc_1@https://app.keito.io", "acc_2@https://app.keito.io"


def keys(records):
    return [record.key for record in records]


def state(store, key):
    return store.find(key=key)[0].state


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def in_doubt(store, record, *wanted):
    """Records whose sending nobody knows the end of."""
    store.add(wanted, HERE)
    names = keys(store.claim(HERE, "sender", len(wanted), 60))
    store.settle("sender", [Settlement(name, RecordState.UNSURE) for name in names])


def test_the_oldest_are_claimed_first_and_by_one_owner(store, record):
    store.add([record(key) for key in "abc"], HERE)
    store.add([record("z")], THERE)
    claimed = store.claim(HERE, "one", 2, 60)
    assert keys(claimed) == ["a", "b"]
    assert keys(store.claim(HERE, "two", 5, 60)) == ["c"]
    assert store.claim(HERE, "two", 5, 60) == []
    assert claimed == store.find(limit=2)
    for one in claimed:
        assert (one.state, one.attempts, one.sent_at) == (RecordState.SENDING, 1, one.changed_at)
        assert one.not_before == pytest.approx(one.changed_at + 60)


def test_a_settlement_is_kept_whole(store, record):
    store.add([record("a")], HERE)
    store.claim(HERE, "me", 1, 60)
    said = Settlement("a", RecordState.HELD, delay=5, status_code=403, reason="403 forbidden \0" + "x" * 3_000)
    assert store.settle("me", [said]) == 1
    (found,) = store.find(key="a")
    assert (found.state, found.status_code, len(found.reason), "\0" in found.reason) == ("held", 403, 1_999, False)
    assert found.not_before == pytest.approx(found.changed_at + 5)
    store.release(HERE, [RecordState.HELD])
    store.claim(HERE, "me", 1, 60)
    store.settle("me", [Settlement("a", RecordState.DELIVERED, api_id="te_1")])
    (found,) = store.find(key="a")
    assert (found.state, found.api_id, found.status_code, found.reason) == ("delivered", "te_1", None, None)
    assert found.attempts == 2


def test_only_the_owner_settles(store, record):
    store.add([record("a")], HERE)
    store.claim(HERE, "me", 1, 60)
    dead = [Settlement("a", RecordState.DEAD)]
    assert store.settle("you", dead) == 0
    assert state(store, "a") == "sending"
    assert store.settle("me", dead) == 1
    assert store.settle("me", dead) == 0


def test_what_is_said_of_an_earlier_attempt_is_ignored(store, record):
    # A thread slept while its relay lost the record, asked for it and claimed it again.
    store.add([record("a")], HERE)
    (first,) = store.claim(HERE, "relay", 1, 0)
    store.expire(HERE, 0)
    store.claim_unsure(HERE, "relay", 1, 60)
    store.settle("relay", [Settlement("a", RecordState.PENDING, attempt=first.attempts)])
    (second,) = store.claim(HERE, "relay", 1, 60)
    assert store.settle("relay", [Settlement("a", RecordState.PENDING, attempt=first.attempts)]) == 0
    assert state(store, "a") == "sending"
    assert store.settle("relay", [Settlement("a", RecordState.DELIVERED, attempt=second.attempts)]) == 1


def test_nothing_is_settled_as_sending(store, record):
    with pytest.raises(ValueError, match="sending"):
        store.settle("me", [Settlement("a", RecordState.SENDING)])


def test_a_delay_holds_a_record_back(store, record):
    store.add([record("a")], HERE)
    store.claim(HERE, "me", 1, 60)
    store.settle("me", [Settlement("a", RecordState.PENDING, delay=0.2)])
    assert 0.1 < store.next_due(HERE) <= 0.2
    assert store.claim(HERE, "me", 1, 60) == []
    until(lambda: keys(store.claim(HERE, "me", 1, 60)) == ["a"])


def test_of_held_records_only_those_come_back_that_met_a_rate_limit(store, record):
    store.add([record("a"), record("b")], HERE)
    store.claim(HERE, "me", 2, 60)
    store.settle(
        "me",
        [Settlement("a", RecordState.HELD, status_code=403), Settlement("b", RecordState.HELD, status_code=429)],
    )
    assert keys(store.claim(HERE, "me", 2, 60)) == ["b"]


def test_what_is_given_back_is_as_if_it_had_not_been_claimed(store, record):
    store.add([record("a"), record("b")], HERE)
    before = store.find(key="a")[0]
    store.claim(HERE, "me", 2, 60)
    store.give_back("you", ["a"])
    assert state(store, "a") == "sending"
    store.give_back("me", ["a"])
    after = store.find(key="a")[0]
    assert (after.state, after.attempts, after.sent_at) == (before.state, before.attempts, before.sent_at)
    assert store.settle("me", [Settlement("a", RecordState.DELIVERED)]) == 0
    assert keys(store.claim(HERE, "me", 2, 60)) == ["a"]


def test_a_second_attempt_given_back_still_was_sent_once(store, record):
    store.add([record("a")], HERE)
    store.claim(HERE, "me", 1, 60)
    store.settle("me", [Settlement("a", RecordState.PENDING)])
    store.claim(HERE, "me", 1, 60)
    store.give_back("me", ["a"])
    (found,) = store.find(key="a")
    assert found.attempts == 1
    assert found.sent_at is not None


def test_a_lease_that_is_over_leaves_doubt(store, record):
    store.add([record("a"), record("b")], HERE)
    store.claim(HERE, "frozen", 1, 0.05)
    store.claim(HERE, "alive", 1, 60)
    assert store.expire(HERE, 30) == 0
    until(lambda: store.expire(HERE, 0.2) == 1)
    (found,) = store.find(key="a")
    assert (found.state, found.attempts) == ("unsure", 1)
    assert "did not say" in found.reason
    assert state(store, "b") == "sending"
    assert store.settle("frozen", [Settlement("a", RecordState.PENDING)]) == 0
    store.give_back("frozen", ["a"])
    assert state(store, "a") == "unsure"
    assert store.claim(HERE, "other", 5, 60) == []
    assert store.claim_unsure(HERE, "other", 5, 60) == []
    until(lambda: keys(store.claim_unsure(HERE, "other", 5, 60)) == ["a"])


def test_a_lease_that_is_over_still_lets_its_owner_settle(store, record):
    store.add([record("a")], HERE)
    store.claim(HERE, "slow", 1, 0)
    assert store.settle("slow", [Settlement("a", RecordState.DELIVERED, api_id="te_1")]) == 1


def test_doubt_is_claimed_by_project_day_and_resource(store, record):
    in_doubt(
        store,
        record,
        record("a"),
        record("b", RecordKind.OUTCOME),
        record("c", RecordKind.EXPENSE),
        record("d", project_id="proj_2"),
        record("e", spent_date="2026-11-24"),
        record("f"),
    )
    groups = [keys(store.claim_unsure(HERE, "asker", 10, 60)) for _ in range(5)]
    assert sorted(groups) == [[], ["a", "b", "f"], ["c"], ["d"], ["e"]]
    assert groups[0] == ["a", "b", "f"]
    assert store.counts()[RecordState.UNSURE] == 6
    assert store.settle("sender", [Settlement("a", RecordState.DELIVERED)]) == 0
    said = [Settlement("a", RecordState.DELIVERED, api_id="te_1"), Settlement("b", RecordState.PENDING)]
    assert store.settle("asker", said) == 2
    assert (state(store, "a"), state(store, "b")) == ("delivered", "pending")


def test_doubt_comes_back_when_who_asks_is_gone(store, record):
    in_doubt(store, record, record("a"), record("b"))
    assert keys(store.claim_unsure(HERE, "gone", 10, 0.1)) == ["a", "b"]
    assert store.claim_unsure(HERE, "next", 10, 60) == []
    until(lambda: keys(store.claim_unsure(HERE, "next", 10, 60)) == ["a", "b"])


def test_doubt_is_not_claimed_beyond_the_limit(store, record):
    in_doubt(store, record, *(record(key) for key in "abc"))
    assert keys(store.claim_unsure(HERE, "one", 2, 60)) == ["a", "b"]
    assert keys(store.claim_unsure(HERE, "two", 2, 60)) == ["c"]


def test_held_and_dead_records_are_released_all_or_some(store, record):
    store.add([record(key) for key in "abcdef"], HERE)
    store.claim(HERE, "me", 6, 60)
    held = [Settlement(key, RecordState.HELD, delay=3600, status_code=401) for key in "abc"]
    store.settle("me", [*held, Settlement("d", RecordState.DEAD, status_code=400), Settlement("e", RecordState.UNSURE)])
    assert store.release(THERE, [RecordState.HELD]) == 0
    assert store.release(None, [RecordState.HELD], keys=["a", "d", "e", "zzz"]) == 1
    assert store.release(HERE, [RecordState.HELD]) == 2
    assert store.release(None, [RecordState.HELD, RecordState.DEAD]) == 1
    assert keys(store.claim(HERE, "me", 6, 60)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("protected", [RecordState.UNSURE, RecordState.SENDING, RecordState.DELIVERED])
def test_what_may_be_on_keito_is_never_released(store, protected):
    with pytest.raises(ValueError, match="only held and dead"):
        store.release(None, [RecordState.HELD, protected])


def test_more_records_than_one_piece_are_released(store, record):
    store.add([record(f"k{number}") for number in range(1_500)], HERE)
    store.claim(HERE, "me", 2_000, 60)
    store.settle("me", [Settlement(f"k{number}", RecordState.HELD, status_code=401) for number in range(1_500)])
    assert store.release(HERE, [RecordState.HELD]) == 1_500
    assert store.counts()[RecordState.PENDING] == 1_500


def test_a_pause_stops_every_claim_to_a_destination(store, record):
    store.add([record("a")], HERE)
    store.add([record("z")], THERE)
    store.pause(HERE, 0.3)
    store.pause(HERE, 0.01)
    assert 0.1 < store.paused(HERE) <= 0.3
    assert 0.1 < store.next_due(HERE) <= 0.3
    assert store.claim(HERE, "me", 1, 60) == []
    assert store.paused(THERE) == 0
    assert keys(store.claim(THERE, "me", 1, 60)) == ["z"]
    until(lambda: store.paused(HERE) == 0)
    assert keys(store.claim(HERE, "me", 1, 60)) == ["a"]


def test_what_is_due_next_is_known(store, record):
    assert store.next_due(HERE) is None
    store.add([record("a")], HERE)
    assert store.next_due(THERE) is None
    assert store.next_due(HERE) == 0
    store.claim(HERE, "me", 1, 50)
    assert 49 < store.next_due(HERE) <= 50
    store.settle("me", [Settlement("a", RecordState.UNSURE, delay=20)])
    assert 19 < store.next_due(HERE) <= 20
    store.add([record("b")], HERE)
    assert store.next_due(HERE) == 0
    store.claim(HERE, "me", 1, 50)
    store.settle("me", [Settlement("b", RecordState.HELD, delay=10, status_code=429)])
    assert 9 < store.next_due(HERE) <= 10


def test_what_needs_an_operator_is_never_due(store, record):
    store.add([record("a"), record("b"), record("c")], HERE)
    store.claim(HERE, "me", 3, 60)
    store.settle(
        "me",
        [
            Settlement("a", RecordState.DELIVERED),
            Settlement("b", RecordState.DEAD),
            Settlement("c", RecordState.HELD, status_code=402),
        ],
    )
    assert store.next_due(HERE) is None


def test_the_records_of_a_killed_relay_are_in_doubt_before_its_lease_is_over(store, record):
    store.add([record("a"), record("b"), record("c")], HERE)
    store.claim(HERE, "killed", 1, 60)
    store.claim(HERE, "alive", 1, 60)
    store.claim(HERE, "elsewhere", 1, 60)
    fates = {"killed": True, "alive": False, "elsewhere": None}
    before = store.now()
    assert store.expire(HERE, 30, fates.__getitem__) == 1
    (found,) = store.find(key="a")
    assert found.state == "unsure"
    assert before + 30 <= found.not_before <= store.now() + 30
    assert store.follow_clock(HERE) == 0  # that is no clock that was set back
    assert (state(store, "b"), state(store, "c")) == ("sending", "sending")
    assert store.settle("killed", [Settlement("a", RecordState.PENDING)]) == 0


def test_who_was_killed_long_ago_sends_nothing_now(store, record):
    store.add([record("a")], HERE)
    store.claim(HERE, "killed", 1, -40)  # its lease was over 40 seconds ago, and what it sent with it
    assert store.expire(HERE, 30, lambda _: True) == 1
    assert keys(store.claim_unsure(HERE, "other", 1, 60)) == ["a"]


def test_what_a_killed_relay_was_asking_for_others_ask_for_at_once(store, record):
    in_doubt(store, record, record("a"), record("b"))
    assert len(store.claim_unsure(HERE, "killed", 5, 60)) == 2
    assert store.claim_unsure(HERE, "other", 5, 60) == []
    assert store.expire(HERE, 30, lambda owner: owner == "killed") == 0
    assert sorted(keys(store.claim_unsure(HERE, "other", 5, 60))) == ["a", "b"]


def test_no_pause_is_for_good(store, record):
    store.add([record("a")], HERE)
    store.pause(HERE, 1e12)
    assert store.claim(HERE, "me", 1, 60) == []
    assert 3500 < store.paused(HERE) <= 3600


def test_a_pause_does_not_last_until_a_clock_that_was_set_back_has_come_to_where_it_was(tmp_path, record, monkeypatch):
    store = open_store(f"sqlite:///{tmp_path / 'outbox.db'}")
    store.pause(HERE, 60)
    now = time.time
    monkeypatch.setattr("keito.outbox.stores.sqlite_database.time.time", lambda: now() - 10 * 3600)
    assert store.paused(HERE) == 0
    store.add([record("waits")], HERE)
    assert keys(store.claim(HERE, "me", 5, 60)) == ["waits"]
    store.pause(HERE, 30)
    assert 25 < store.paused(HERE) <= 30
    store.close()


def test_records_do_not_wait_until_a_clock_that_was_set_back_has_come_to_where_it_was(tmp_path, record, monkeypatch):
    store = open_store(f"sqlite:///{tmp_path / 'outbox.db'}")
    store.add([record("sent"), record("in doubt")], HERE)
    store.claim(HERE, "alive", 1, 60)
    in_doubt(store, record, record("in doubt"))
    store.add([record("waits")], HERE)
    now = time.time
    monkeypatch.setattr("keito.outbox.stores.sqlite_database.time.time", lambda: now() - 3600)
    assert store.claim(HERE, "me", 5, 60) == []
    assert store.follow_clock(HERE) == 3
    assert store.follow_clock(HERE) == 0
    assert keys(store.claim(HERE, "me", 5, 60)) == ["waits"]
    assert keys(store.claim_unsure(HERE, "me", 5, 60)) == ["in doubt"]
    (sent,) = store.find(key="sent")
    assert sent.state == "sending"
    assert sent.not_before <= store.now() + 60  # the lease begins anew
    store.close()
