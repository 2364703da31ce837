"""Records that were taken back are never sent, nor made again."""

from typing import Any, Callable

from keito.outbox import BillingRecord, RecordState
from keito.outbox.store import Store

HERE = "acc_1@http://127.0.0.1:1"


def test_a_withdrawn_record_is_never_claimed_released_or_added_again(
    store: Store, record: Callable[..., BillingRecord]
) -> None:
    store.add([record("a"), record("b")], HERE, run_id="run")
    assert store.withdraw("a", RecordState.PENDING, "wrong client")
    assert [found.key for found in store.claim(HERE, "relay", 10, 60.0)] == ["b"]
    assert store.release(HERE, [RecordState.HELD, RecordState.DEAD]) == 0
    assert store.add([record("a")], HERE) == []
    (found,) = store.find(key="a")
    assert (found.state, found.reason) == (RecordState.WITHDRAWN, "wrong client")
    assert store.counts(HERE)[RecordState.WITHDRAWN] == 1


def test_only_a_record_that_still_stands_so_is_withdrawn(store: Store, record: Callable[..., BillingRecord]) -> None:
    store.add([record("a")], HERE)
    store.claim(HERE, "relay", 10, 60.0)
    assert not store.withdraw("a", RecordState.PENDING, "too late")
    (found,) = store.find(key="a")
    assert found.state is RecordState.SENDING


def test_a_relay_that_comes_too_late_does_not_bring_it_back(store: Any, record: Callable[..., BillingRecord]) -> None:
    from keito.outbox.stored import Settlement

    store.add([record("a")], HERE)
    store.claim(HERE, "relay", 10, 60.0)
    assert store.withdraw("a", RecordState.SENDING, "by hand")
    assert store.settle("relay", [Settlement("a", RecordState.PENDING)]) == 0
    assert store.find(key="a")[0].state is RecordState.WITHDRAWN
