"""Any order of what can happen to records leaves a store where a simple model says."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from keito.outbox import BillingRecord, RecordKind, RecordState, open_store
from keito.outbox.stored import Settlement

HERE = "acc_1@https://app.keito.io"
KEYS = st.sampled_from([f"k{number}" for number in range(3)])
OWNERS = st.sampled_from(["one", "two"])
LONG = 3_600.0
LEASES = st.sampled_from([False, False, True])

PENDING, SENDING, UNSURE, DELIVERED, HELD, DEAD, WITHDRAWN = RecordState


@dataclass
class Known:
    """What the model knows of a record."""

    state: RecordState = PENDING
    owner: str = ""
    attempts: int = 0
    leased: bool = False  # its lease is long; otherwise it is over at once
    rate_limited: bool = False


class Machine(RuleBasedStateMachine):
    """Time plays no role: a delay is 0 or an hour, and nothing is held back for an hour."""

    url = ""

    def __init__(self):
        super().__init__()
        self.store = open_store(self.url)
        self.here = f"{uuid.uuid4().hex}@https://app.keito.io"  # each example has a destination of its own
        self.model = {}

    def teardown(self):
        self.store.close()

    def key(self, name):
        return f"{self.here}-{name}"

    def owned(self, owner, states):
        return {key for key, known in self.model.items() if known.owner == owner and known.state in states}

    @rule(names=st.lists(KEYS, max_size=4))
    def add(self, names):
        body = {"project_id": "p", "spent_date": "2026-11-23", "hours": 1}
        wanted = [self.key(name) for name in names]
        new = self.store.add([BillingRecord(key, RecordKind.TIME_ENTRY, body) for key in wanted], self.here)
        assert new == [key for key in dict.fromkeys(wanted) if key not in self.model]
        self.model.update({key: Known() for key in new})

    @rule(owner=OWNERS, limit=st.integers(1, 5), leased=LEASES)
    def claim(self, owner, limit, leased):
        due = {
            key
            for key, known in self.model.items()
            if known.state is PENDING or (known.state is HELD and known.rate_limited)
        }
        claimed = self.store.claim(self.here, owner, limit, LONG if leased else 0)
        assert len(claimed) == min(limit, len(due))
        assert {one.key for one in claimed} <= due
        for one in claimed:
            known = self.model[one.key]
            self.model[one.key] = Known(SENDING, owner, known.attempts + 1, leased)
            assert one.attempts == known.attempts + 1
            assert one.sent_at is not None

    @rule(owner=OWNERS, limit=st.integers(1, 5), leased=LEASES)
    def claim_unsure(self, owner, limit, leased):
        due = {key for key, known in self.model.items() if known.state is UNSURE and not known.leased}
        claimed = {one.key for one in self.store.claim_unsure(self.here, owner, limit, LONG if leased else 0)}
        assert len(claimed) == min(limit, len(due))
        assert claimed <= due
        for key in claimed:
            self.model[key].owner, self.model[key].leased = owner, leased

    @rule(
        owner=OWNERS,
        said=st.dictionaries(KEYS, st.sampled_from([PENDING, UNSURE, DELIVERED, HELD, DEAD]), max_size=4),
        status=st.sampled_from([429, 403]),
    )
    def settle(self, owner, said, status):
        mine = self.owned(owner, (SENDING, UNSURE))
        settlements = [Settlement(self.key(name), state, status_code=status) for name, state in said.items()]
        done = [one for one in settlements if one.key in mine]
        assert self.store.settle(owner, settlements) == len(done)
        for one in done:
            attempts = self.model[one.key].attempts
            self.model[one.key] = Known(one.state, attempts=attempts, rate_limited=status == 429)

    @rule(owner=OWNERS, names=st.lists(KEYS, unique=True, max_size=4))
    def give_back(self, owner, names):
        mine = self.owned(owner, (SENDING,))
        self.store.give_back(owner, [self.key(name) for name in names])
        for key in mine & {self.key(name) for name in names}:
            self.model[key] = Known(attempts=self.model[key].attempts - 1)

    @rule()
    def expire(self):
        over = [key for key, known in self.model.items() if known.state is SENDING and not known.leased]
        assert self.store.expire(self.here, 0) == len(over)
        for key in over:
            self.model[key] = Known(UNSURE, attempts=self.model[key].attempts)

    @rule(states=st.sets(st.sampled_from([HELD, DEAD]), min_size=1), names=st.none() | st.lists(KEYS, unique=True))
    def release(self, states, names):
        keys = None if names is None else [self.key(name) for name in names]
        freed = [key for key, known in self.model.items() if known.state in states and (keys is None or key in keys)]
        assert self.store.release(self.here, sorted(states), keys) == len(freed)
        for key in freed:
            self.model[key] = Known(attempts=self.model[key].attempts)

    @rule(name=KEYS, state=st.sampled_from([PENDING, DELIVERED, HELD]))
    def withdraw(self, name, state):
        known = self.model.get(self.key(name), Known(DEAD))
        assert self.store.withdraw(self.key(name), state, "a correction") == (known.state is state)
        if known.state is state:
            self.model[self.key(name)] = Known(WITHDRAWN, attempts=known.attempts)

    @precondition(lambda self: any(known.state is DELIVERED for known in self.model.values()))
    @rule()
    def prune(self):
        self.store.prune(-1)
        self.model = {key: known for key, known in self.model.items() if known.state is not DELIVERED}

    @rule()
    def reopen(self):
        self.store.close()

    @invariant()
    def everything_is_where_the_model_says(self):
        found = {one.key: (one.state, one.attempts) for one in self.store.find(destination=self.here)}
        assert found == {key: (known.state, known.attempts) for key, known in self.model.items()}

    @invariant()
    def the_counts_are_true(self):
        counts = {state: number for state, number in self.store.counts(self.here).items() if number}
        assert counts == Counter(known.state for known in self.model.values())

    @invariant()
    def somebody_wakes_when_there_is_something_to_do(self):
        done = {DELIVERED, DEAD, WITHDRAWN}
        open_ones = [
            known
            for known in self.model.values()
            if known.state not in done and (known.state, known.rate_limited) != (HELD, False)
        ]
        wait = self.store.next_due(self.here)
        assert (wait is None) == (not open_ones)
        if any(not known.leased for known in open_ones):
            assert wait == 0


def test_any_order_of_events_leaves_the_state_that_the_model_says(store_url):
    # Pruning is of the whole store: nobody else may be in it.
    machine = type("StoreMachine", (Machine,), {"url": store_url})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=120 if "sqlite" in store_url else 30, stateful_step_count=40)
    )
