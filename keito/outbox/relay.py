"""Gets the records of a store to Keito."""

from __future__ import annotations

import os
import queue
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Optional, Union

from keito.core.deadline import deadline as sending
from keito.core.deadline import lasting_clock
from keito.outbox.attempt import DELIVERED, Attempt, attempt
from keito.outbox.backoff import Backoff
from keito.outbox.breaker import Breaker, BreakerState
from keito.outbox.crew import Crew
from keito.outbox.housekeeping import Chore, Housekeeping
from keito.outbox.pace import Pace
from keito.outbox.progress import Progress, has_ended
from keito.outbox.reconcile import Reconciliation, reconcile
from keito.outbox.said import RelayLog
from keito.outbox.stats import RelayStats
from keito.outbox.stored import RecordState, Settlement, StoredRecord

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.outbox.store import Store

GROUP = 64
"""Settlements that are committed together; fewer once the oldest has waited for `GROUP_SECONDS`."""

GROUP_SECONDS = 0.02

LARGEST_CLAIM = 512
"""Records that are claimed at a time. After a `kill -9` each of them is in doubt."""

LARGEST_QUESTION = 5000
"""Records in doubt that one listing answers for."""

HELD_FOR = 600.0
"""Seconds for which a record stays held before a program that starts tries it again."""

_MOST_HELD = 1000

_LOOK = 1.0
"""Seconds between two looks for what other processes have added."""

_ASK_EVERY = 0.2
"""Seconds between two looks for records in doubt."""

_BEGIN_MARGIN = 1.0
"""Seconds of a lease that remain for the settlement after an attempt that took its whole timeout."""


@dataclass(frozen=True)
class _Unsent:
    """A record that was claimed, and not sent."""

    key: str


@dataclass(frozen=True)
class _Sending:
    """A job: one record to send."""

    record: StoredRecord
    send: Callable[[StoredRecord], None]

    def __call__(self) -> None:
        self.send(self.record)


_Result = Union[Attempt, Reconciliation, _Unsent, None]


class Relay:
    """Claims records, sends them, settles them, and asks Keito for those in doubt.

    `work` does it in the thread that calls it, with threads that send; one thread at a time may.

    Attributes:
        store: Where the records are.
        destination: Whose records.
        owner: This relay's name in the store.
        stats: What it has done.
        progress: Says when records were settled.
        has_work: Whether it knows of something to do, now or later.

    Args:
        store: Where the records are.
        client: Posts them, or makes the client that does.
        destination: Whose records.
        concurrency: How many are on their way at a time.
        timeout: Seconds that one attempt may take.
        quiet: Seconds after the start of an attempt of unknown fate before Keito is asked what has become of it.
        lease: Seconds for which a record belongs to this relay once it is claimed; by default three timeouts.
        backoff: How long to wait after failures.
        chores: What else is to be done from time to time.
        clock: Tells the time, in seconds.
    """

    def __init__(
        self,
        store: Store,
        client: Union[Keito, Callable[[], Keito]],
        destination: str,
        *,
        concurrency: int = 8,
        timeout: float = 10.0,
        quiet: float = 30.0,
        lease: Optional[float] = None,
        backoff: Optional[Backoff] = None,
        chores: Sequence[Chore] = (),
        clock: Callable[[], float] = lasting_clock,
    ) -> None:
        self.store = store
        self.destination = destination
        self.stats = RelayStats()
        self.progress = Progress()
        self._make_client = client
        self._client: Optional[Keito] = None
        self._has_begun = False
        self._concurrency = concurrency
        self._timeout = timeout
        self._quiet = quiet
        self._lease = 3 * timeout + _BEGIN_MARGIN if lease is None else lease
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._log = RelayLog()
        self._keeping = Housekeeping(store, destination, quiet, self._lease, chores, clock)
        self.reset()

    def reset(self) -> None:
        """Forget what is on its way: it is the parent's, and this process is a forked child."""
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.progress.reset()
        self._results: queue.SimpleQueue[_Result] = queue.SimpleQueue()
        self._crew = Crew(self._concurrency)
        self._breaker = Breaker(self._backoff)
        self._pace = Pace()
        self._flying = 0
        self._asking = False
        self._failed_listings = 0
        self._settlements: list[Settlement] = []
        self._unsent: list[str] = []
        self._settle_at = 0.0
        self._paused_until = 0.0
        self._looked_for_pause_at = 0.0
        self._target, self._claimed_at = 2 * self._concurrency, 0.0
        self._wanted_pause = 0.0
        self._ask_at = self._claim_at = 0.0
        self._probe = False
        self._troubles = 0
        self.has_work = False
        self._turned_at = self._clock()

    @property
    def client(self) -> Keito:
        """Posts the records."""
        return self._client or self._connect()

    def use(self, client: Union[Keito, Callable[[], Keito]]) -> None:
        """Send through this client from now on: whoever gave the one before may close it. One's own is kept."""
        if not callable(self._make_client):
            self._make_client, self._client = client, None

    def close_client(self) -> None:
        """Close the client that this relay has made, if there is one."""
        if self._client is not None and self._client is not self._make_client:
            self._client.close()

    def _connect(self) -> Keito:
        if self._client is None:
            self._client = self._make_client() if callable(self._make_client) else self._make_client
        return self._client

    @property
    def is_busy(self) -> bool:
        """Whether something is on its way or not yet settled."""
        return bool(self._flying or self._asking or self._settlements or self._unsent)

    @property
    def idle_seconds(self) -> float:
        """Seconds since it last did what there was to do; many if the store fails, or if it does not run."""
        return self._clock() - self._turned_at

    @property
    def longest_attempt(self) -> float:
        """Seconds until what is on its way now is over for sure."""
        return self._timeout + _BEGIN_MARGIN

    @property
    def blocked(self) -> float:
        """Seconds for which nothing is sent, because nobody answers or the API wants to be left alone."""
        wait = 0.0 if self._probe else self._breaker.wait
        return max(0.0, wait, self._paused_until - self._clock())

    @property
    def is_answered(self) -> bool:
        """Whether the API answered when it was asked last, or at least was not found silent several times."""
        return self._breaker.state is BreakerState.CLOSED

    @property
    def breaker_state(self) -> BreakerState:
        """Whether the API answers, as far as this relay knows."""
        return self._breaker.state

    def wake(self) -> None:
        """Look for records at once."""
        self._results.put(None)

    def probe(self) -> None:
        """Try at once whether the API answers again."""
        self._probe = True
        self.wake()

    def work(self, is_over: Callable[[], bool]) -> None:
        """Send what there is, until it is over. What is on its way then goes on; see `drain`."""
        while not is_over():
            try:
                rest = self._turn()
            except Exception as error:  # the store fails; it may come back
                self._troubles += 1
                self._log.trouble(error)
                rest = self._backoff.after(self._troubles)
            else:
                self._troubles = 0
                self._turned_at = self._clock()
            self._collect(min(rest, _LOOK))

    def drain(self, seconds: float) -> bool:
        """Send nothing more, and settle what is on its way; answers whether all of it is settled."""
        deadline = time.monotonic() + seconds
        self._take_back()
        while self.is_busy and time.monotonic() < deadline:
            try:
                self._settle(force=not self._flying)
            except Exception as error:  # what cannot be settled is asked for when its lease is over
                self._log.trouble(error)
            if self.is_busy:
                self._collect(min(0.1, max(0.0, deadline - time.monotonic())))
        return not self.is_busy

    def _turn(self) -> float:
        """Do what can be done now; answers in how many seconds there is more."""
        self._connect()  # where it cannot be made, nothing is claimed
        if not self._has_begun:
            self._begin()
        if self._probe:
            self._probe = False
            self._breaker.probe()
        self._settle()
        self.has_work = True
        chore = self._keeping.do()
        if self._is_paused():
            self._take_back()
            return min(self.blocked, chore, *([GROUP_SECONDS] if self._settlements else []))
        is_probing = self._breaker.state is BreakerState.HALF_OPEN
        if not (is_probing and self.is_busy):
            self._ask()
            if not (is_probing and self._asking):
                self._claim(1 if is_probing else self._target)
        return min(chore, self._rest())

    def _begin(self) -> None:
        """Try again what is held, in case an operator has put it right before this program was started.

        Not what was held only just: programs may be started by the minute.
        """
        since = self.store.now() - HELD_FOR
        held = self.store.find(destination=self.destination, states=[RecordState.HELD], limit=_MOST_HELD)
        old = [record.key for record in held if record.changed_at < since]
        if old:
            self.store.release(self.destination, [RecordState.HELD], old)
        self._has_begun = True

    def _rest(self) -> float:
        if self._settlements:
            return max(0.0, self._settle_at - self._clock())
        if self._flying or self._asking:
            return _LOOK
        due = self.store.next_due(self.destination)
        self.has_work = due is not None or self._keeping.has_work
        return _LOOK if due is None else max(due, self._pace.wait, 0.01)

    def _is_paused(self) -> bool:
        if self._wanted_pause:
            self.store.pause(self.destination, self._wanted_pause)
            self._wanted_pause = 0.0
        if self._clock() >= self._looked_for_pause_at:
            self._looked_for_pause_at = self._clock() + min(_LOOK, 0.5)
            self._paused_until = self._clock() + self.store.paused(self.destination)
        return self.blocked > 0

    def _claim(self, target: int) -> None:
        room = self._pace.allowed(target - self._flying)
        if room <= 0 or self._flying > target // 2 or self._clock() < self._claim_at:
            return
        began = self._clock()  # before: whoever is frozen in the midst of it must not think that the lease begins now
        records = self.store.claim(self.destination, self.owner, room, self._lease)
        self._pace.sent(len(records))
        if len(records) == self._target - self._flying:
            self._adapt()
        self._claimed_at = began
        # A claim takes the lock of the database: whoever found it empty waits a moment, or until somebody wakes it.
        self._claim_at = self._claimed_at + (_ASK_EVERY if len(records) < room else 0.0)
        latest = self._claimed_at + self._lease - self._timeout - _BEGIN_MARGIN
        self._flying += len(records)
        for record in records:
            self._crew.do(_Sending(record, partial(self._send, latest=latest)))

    def _adapt(self) -> None:
        """Claim what keeps the threads busy for about a second."""
        took = self._clock() - self._claimed_at
        if took < 0.5:
            self._target = min(2 * self._target, LARGEST_CLAIM)
        elif took > 2:
            self._target = max(self._target // 2, 2 * self._concurrency)

    def _send(self, record: StoredRecord, latest: float) -> None:
        if self._clock() > latest:
            # Whoever slept through the lease may find that another relay has it by now.
            self._results.put(_Unsent(record.key))
            return
        sending.permit = latest + self._timeout
        result = attempt(self.client, record, timeout=self._timeout, quiet=self._quiet, backoff=self._backoff)
        sending.permit = None
        self._results.put(result)

    def _ask(self) -> None:
        if self._asking or self._clock() < self._ask_at:
            return
        self._ask_at = self._clock() + _ASK_EVERY
        lease = self._lease + self._timeout
        records = self.store.claim_unsure(self.destination, self.owner, LARGEST_QUESTION, lease)
        if records:
            self._asking = True
            self._crew.do(partial(self._reconcile, records, time.monotonic() + lease - self._timeout, self.store.now()))

    def _reconcile(self, records: Sequence[StoredRecord], deadline: float, now: float) -> None:
        result = reconcile(
            self.client,
            records,
            deadline=deadline,
            timeout=self._timeout,
            now=now,
            backoff=self._backoff,
            failures=self._failed_listings,
        )
        self._results.put(result)

    def _take_back(self) -> None:
        for job in self._crew.take_back():
            if isinstance(job, _Sending):
                self._results.put(_Unsent(job.record.key))
            else:
                self._crew.do(job)

    def _collect(self, seconds: float) -> None:
        """Wait for results, and take all that have come."""
        try:
            self._take(self._results.get(timeout=max(seconds, 0.0)) if seconds > 0 else self._results.get_nowait())
            while True:
                self._take(self._results.get_nowait())
        except queue.Empty:
            return

    def _take(self, result: _Result) -> None:
        if isinstance(result, Attempt):
            self._flying -= 1
            self.stats.attempted(result)
            self._log.attempted(result)
            self._add([result.settlement])
            self._learn(result)
        elif isinstance(result, Reconciliation):
            self._asking = False
            self._failed_listings = 0 if result.error is None else self._failed_listings + 1
            self.stats.reconciled(result)
            self._log.reconciled(result)
            self._add(result.settlements)
            self._learn(result)
        elif isinstance(result, _Unsent):
            self._flying -= 1
            self._unsent.append(result.key)
        else:
            self._claim_at = 0.0

    def _add(self, settlements: Sequence[Settlement]) -> None:
        if not self._settlements:
            self._settle_at = self._clock() + GROUP_SECONDS
        self._settlements.extend(settlements)

    def _learn(self, result: Union[Attempt, Reconciliation]) -> None:
        if result.is_down:
            self._breaker.failed()
        elif isinstance(result, Attempt):  # that it lists does not mean that it takes records
            self._breaker.succeeded()
        if isinstance(result, Attempt) and result.outcome == DELIVERED:
            self._log.recovered()
        if result.pause is not None:
            if getattr(result.error, "status_code", None) == 429:
                self._pace.refused(result.pause)
            self._paused_until = max(self._paused_until, self._clock() + result.pause)
            self._wanted_pause = max(self._wanted_pause, result.pause)

    def _settle(self, *, force: bool = False) -> None:
        """Commit what has become of records, in groups."""
        if self._unsent:
            self.store.give_back(self.owner, self._unsent)
            self._unsent = []
        due = len(self._settlements) >= GROUP or self._clock() >= self._settle_at or not self._flying or force
        if not self._settlements or not due:
            return
        settled, self._settlements = self._settlements, []
        try:
            self.store.settle(self.owner, settled)
        except Exception:
            self._settlements = [*settled, *self._settlements]
            raise
        self.progress.made([one.key for one in settled if has_ended(one.state, one.status_code)])
