"""Gets the records of a store to Keito."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Union

from keito import telemetry
from keito.core.deadline import lasting_clock
from keito.outbox.process import worker
from keito.outbox.relay.attempt import DELIVERED, Attempt
from keito.outbox.relay.backoff import Backoff
from keito.outbox.relay.breaker import Breaker, BreakerState
from keito.outbox.relay.claims import ClaimSize
from keito.outbox.relay.crew import Crew
from keito.outbox.relay.housekeeping import Chore, Housekeeping
from keito.outbox.relay.pace import Pace
from keito.outbox.relay.progress import Progress
from keito.outbox.relay.reconcile import Reconciliation
from keito.outbox.relay.said import RelayLog
from keito.outbox.relay.sender import MARGIN, Sender, Unsent
from keito.outbox.relay.settling import Settling
from keito.outbox.relay.stats import RelayStats
from keito.outbox.stored import RecordState, StoredRecord

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.outbox.store import Store

LARGEST_QUESTION = 5000
"""Records in doubt that one listing answers for."""

HELD_FOR = 600.0
"""Seconds for which a record stays held before a program that starts tries it again."""

_MOST_HELD = 1000

_LOOK = 1.0
"""Seconds between two looks for what other processes have added."""

_GLANCE = 0.2
"""Seconds between two looks for records in doubt, and for pauses that others have been told of."""


@dataclass(frozen=True)
class _Sending:
    """A job: one record to send."""

    record: StoredRecord
    lease_end: float
    relay: Relay

    def __call__(self) -> None:
        self.relay.take(self.relay.sender.send(self.record, self.lease_end))


_Result = Union[Attempt, Reconciliation, Unsent, None]


class Relay:
    """Claims records, sends them, settles them, and asks Keito for those in doubt.

    `work` does it in the thread that calls it, with threads that send; one thread at a time may.

    Attributes:
        store: Where the records are.
        destination: Whose records.
        sender: Sends them.
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
        telemetry.watch(self)
        self.progress = Progress()
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._concurrency = concurrency
        self._lease = 3 * timeout + MARGIN if lease is None else lease
        self.sender = Sender(client, timeout, quiet, self._backoff, clock)
        self._log = RelayLog()
        self._keeping = Housekeeping(store, destination, quiet, self._lease, chores, clock)
        self._has_begun = False
        self.reset()

    def reset(self) -> None:
        """Forget what is on its way: it is the parent's, and this process is a forked child."""
        self.owner = worker()
        self.progress.reset()
        self.has_work = False
        self._results: queue.SimpleQueue[_Result] = queue.SimpleQueue()
        self._crew = Crew(self._concurrency)
        self._settling = Settling(self.store, self.progress, self._clock)
        self._size = ClaimSize(self._concurrency, self._clock)
        self._breaker = Breaker(self._backoff)
        self._pace = Pace()
        self._flying = 0
        self._asking = self._probe = False
        self._failed_listings = self._troubles = 0
        self._ask_at = self._paused_until = self._pause_look_at = self._wanted_pause = 0.0
        self._turned_at = self._clock()

    @property
    def is_busy(self) -> bool:
        """Whether something is on its way or not yet settled."""
        return bool(self._flying or self._asking or not self._settling.is_empty)

    @property
    def idle_seconds(self) -> float:
        """Seconds since it last did what there was to do; many if the store fails, or if it does not run."""
        return self._clock() - self._turned_at

    @property
    def longest_attempt(self) -> float:
        """Seconds until what is on its way now is over for sure."""
        return self.sender.timeout + MARGIN

    @property
    def blocked(self) -> float:
        """Seconds for which nothing is sent, because nobody answers or the API wants to be left alone."""
        wait = 0.0 if self._probe else self._breaker.wait
        return max(0.0, wait, self._paused_until - self._clock())

    @property
    def breaker_state(self) -> BreakerState:
        """Whether the API answers, as far as this relay knows."""
        return self._breaker.state

    def reading(self) -> tuple[Mapping[str, int], Optional[float]]:
        """For telemetry: records by state, and the age of the oldest one that is still to be delivered."""
        counts = {state.value: count for state, count in self.store.counts(self.destination).items()}
        return counts, self.store.oldest_pending(self.destination)

    def wake(self) -> None:
        """Look for records at once."""
        self._results.put(None)

    def probe(self) -> None:
        """Try at once whether the API answers again."""
        self._probe = True
        self.wake()

    def take(self, result: Union[Attempt, Reconciliation, Unsent]) -> None:
        """Hand over what one of its threads has done."""
        self._results.put(result)

    def work(self, is_over: Callable[[], bool]) -> None:
        """Send what there is, until it is over. What is on its way then goes on; see `drain`."""
        while not is_over():
            try:
                self._collect(min(self._turn(), _LOOK))
                self._troubles, self._turned_at = 0, self._clock()
            except Exception as error:  # noqa: PERF203 - the store fails; it may come back
                self._troubles += 1
                self._log.trouble(error)
                time.sleep(min(self._backoff.after(self._troubles), _LOOK))

    def drain(self, seconds: float) -> bool:
        """Send nothing more, and settle what is on its way; answers whether all of it is settled."""
        deadline = time.monotonic() + seconds
        self._take_back()
        while self.is_busy and time.monotonic() < deadline:
            self._collect(min(_GLANCE, max(0.0, deadline - time.monotonic())))
            try:
                self._settling.commit(self.owner, at_once=not self._flying)
            except Exception as error:  # what cannot be settled is asked for when its lease is over
                self._log.trouble(error)
        return not self.is_busy

    def _turn(self) -> float:
        """Do what can be done now; answers in how many seconds there is more."""
        if not self._has_begun:
            self._begin()
        if self._probe:
            self._probe = False
            self._breaker.probe()
        self._settling.commit(self.owner, at_once=not self._flying)
        self.has_work = True
        chore = self._keeping.do()
        if self._is_paused():
            self._take_back()
            return min(self.blocked, chore, _LOOK if self._settling.is_empty else self._settling.wait)
        self._ask_and_send()
        return min(chore, self._rest())

    def _begin(self) -> None:
        """Try again what is held, in case an operator has put it right before this program was started.

        Not what was held only just: programs may be started by the minute.
        """
        assert self.sender.client is not None  # made here: where it cannot be, nothing is claimed
        since = self.store.now() - HELD_FOR
        held = self.store.find(destination=self.destination, states=[RecordState.HELD], limit=_MOST_HELD)
        old = [record.key for record in held if record.changed_at < since]
        if old:
            self.store.release(self.destination, [RecordState.HELD], old)
        self._has_begun = True

    def _ask_and_send(self) -> None:
        """Ask and send as much as there is room for; a single request while nobody knows whether the API answers."""
        is_probing = self._breaker.state is BreakerState.HALF_OPEN
        if is_probing and self.is_busy:
            return
        self._ask()
        if not is_probing:
            self._claim(self._size.room(self._flying))
        elif not self._asking:
            self._claim(self._size.room(0, most=1))

    def _rest(self) -> float:
        if not self._settling.is_empty:
            return self._settling.wait
        if self._flying or self._asking:
            return _LOOK
        due = self.store.next_due(self.destination)
        self.has_work = due is not None or self._keeping.has_work
        return _LOOK if due is None else max(due, self._pace.wait, 0.01)

    def _is_paused(self) -> bool:
        if self._wanted_pause:
            self.store.pause(self.destination, self._wanted_pause)
            self._wanted_pause = 0.0
        if self._clock() >= self._pause_look_at:
            self._pause_look_at = self._clock() + _GLANCE
            self._paused_until = self._clock() + self.store.paused(self.destination)
        return self.blocked > 0

    def _claim(self, room: int) -> None:
        room = self._pace.allowed(room)
        if room <= 0:
            return
        # Before the claim: whoever is frozen in the midst of it must not think that the lease begins afterwards.
        lease_end = self._clock() + self._lease
        records = self.store.claim(self.destination, self.owner, room, self._lease)
        self._pace.sent(len(records))
        self._size.claimed(len(records), room)
        self._flying += len(records)
        for record in records:
            self._crew.do(_Sending(record, lease_end, self))

    def _ask(self) -> None:
        if self._asking or self._clock() < self._ask_at:
            return
        self._ask_at = self._clock() + _GLANCE
        records = self.store.claim_unsure(self.destination, self.owner, LARGEST_QUESTION, self._lease + MARGIN)
        if records:
            self._asking = True
            now, failures = self.store.now(), self._failed_listings
            self._crew.do(lambda: self.take(self.sender.ask(records, self._lease, now, failures)))

    def _take_back(self) -> None:
        for job in self._crew.take_back():
            if isinstance(job, _Sending):
                self.take(Unsent(job.record.key))
            else:
                self._crew.do(job)

    def _collect(self, seconds: float) -> None:
        """Wait for results, and note all that have come."""
        try:
            self._note(self._results.get(timeout=seconds) if seconds > 0 else self._results.get_nowait())
            while True:
                self._note(self._results.get_nowait())
        except queue.Empty:
            return

    def _note(self, result: _Result) -> None:
        if isinstance(result, Attempt):
            self._flying -= 1
            self._settling.add([result.settlement])
            self._note_attempt(result)
        elif isinstance(result, Reconciliation):
            self._asking = False
            self._settling.add(result.settlements)
            self._note_reconciliation(result)
        elif isinstance(result, Unsent):
            self._flying -= 1
            self._settling.give_back(result.key)
        else:
            self._size.wake()

    def _note_attempt(self, result: Attempt) -> None:
        self.stats.attempted(result)
        self._log.attempted(result)
        if result.outcome == DELIVERED:
            self._log.recovered()
            telemetry.delivered(time.time() - result.record.created_at)
        if result.is_down:
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        self._hold_back(result.pause, result.error)

    def _note_reconciliation(self, result: Reconciliation) -> None:
        self._failed_listings = 0 if result.error is None else self._failed_listings + 1
        self.stats.reconciled(result)
        self._log.reconciled(result)
        if result.is_down:  # that it lists, on the other hand, does not mean that it takes records
            self._breaker.failed()
        self._hold_back(result.pause, result.error)

    def _hold_back(self, pause: Optional[float], error: Optional[Exception]) -> None:
        if pause is None:
            return
        if getattr(error, "status_code", None) == 429:
            self._pace.refused(pause)
        self._paused_until = max(self._paused_until, self._clock() + pause)
        self._wanted_pause = max(self._wanted_pause, pause)
