"""What a store of billing records does. SQLite keeps them for the processes of one machine, PostgreSQL for many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Optional, Protocol

from keito.outbox.record import BillingRecord
from keito.outbox.stored import OpenRun, RecordState, Settlement, StoredRecord, WindowShare

MakeRecords = Callable[[Sequence[str], Mapping[str, str]], tuple[Sequence[BillingRecord], Mapping[str, str]]]
"""From the bodies of a window's shares, and what earlier windows carried over by place, to the window's records and
the new amounts of what is carried over (an empty text takes a place away)."""


class Store(Protocol):
    """Keeps records until Keito has them, and the journal of open runs. Every method is one transaction.

    Stores are thread-safe and survive a fork: the child opens its own connection. Any number of processes work on
    one store. Moments come from the store's clock: that of the machine, or of the database server.
    """

    @property
    def url(self) -> str:
        """Where it is, without password."""
        ...

    def add(
        self,
        records: Sequence[BillingRecord],
        destination: str,
        *,
        run_id: Optional[str] = None,
        shares: Sequence[WindowShare] = (),
    ) -> Sequence[str]:
        """Commit records and shares of a run; with a `run_id` its journal goes in the same transaction.

        A key that the store has is left as it is: the first one counts. That holds for shares, too, also after their
        window was closed.

        Returns:
            The keys that are new, of records and of shares.

        Raises:
            OutboxError: They could not be committed, such as on a full disk; nothing of them is there.
        """
        ...

    def claim(self, destination: str, owner: str, limit: int, lease: float) -> list[StoredRecord]:
        """Take the oldest records that may be sent, for `lease` seconds, as `sending`.

        Those are `pending` ones and, after 429, `held` ones, whose `not_before` has come; none while the destination
        is paused. A record is with one owner at a time. Its attempt is counted, and `sent_at` set, when it is claimed:
        who is killed may have sent it.
        """
        ...

    def claim_unsure(self, destination: str, owner: str, limit: int, lease: float) -> list[StoredRecord]:
        """Take records in doubt whose `not_before` has come, all of one project, day and resource, for a while.

        They stay `unsure`; outcomes and time entries are one resource, expenses the other.
        """
        ...

    def settle(self, owner: str, settlements: Iterable[Settlement]) -> int:
        """Say what has become of claimed records; answers how many still were this owner's. Others are left alone."""
        ...

    def give_back(self, owner: str, keys: Sequence[str]) -> None:
        """Make claimed records that were certainly not sent `pending` again, as if they had not been claimed."""
        ...

    def expire(self, destination: str, quiet: float, is_gone: Callable[[str], Optional[bool]] = ...) -> int:
        """Make `sending` records whose lease is over, or whose owner is gone, `unsure`; answers how many.

        They are to be asked for `quiet` seconds after the last moment at which they may have been sent: now, or the
        end of the lease of an owner that is gone. What such a one was asking for, others may ask for at once.

        Args:
            destination: Whose records.
            quiet: Seconds that a request may take.
            is_gone: As for `take_orphans`; by default nobody can tell.
        """
        ...

    def follow_clock(self, destination: str) -> int:
        """Let records that were written before the clock was set back wait from now on; answers how many.

        Else they would wait until the clock has come to where it was.
        """
        ...

    def release(
        self, destination: Optional[str], states: Sequence[RecordState], keys: Optional[Sequence[str]] = None
    ) -> int:
        """Make `held` or `dead` records `pending`, all of them or some; answers how many."""
        ...

    def withdraw(self, key: str, state: RecordState, reason: str) -> bool:
        """Make a record `withdrawn`, for ever, if it stands so; answers whether it did."""
        ...

    def counts(self, destination: Optional[str] = None) -> Mapping[RecordState, int]:
        """How many records stand where. Quick, also with a million of them."""
        ...

    def delivered_since(self, destination: str, moment: float) -> int:
        """How many were delivered at or after a moment of the store's clock."""
        ...

    def find(
        self,
        *,
        destination: Optional[str] = None,
        states: Optional[Sequence[RecordState]] = None,
        key: Optional[str] = None,
        run_id: Optional[str] = None,
        after: Optional[str] = None,
        limit: int = 100,
    ) -> list[StoredRecord]:
        """Records in the order of their arrival, from the one after the key `after`."""
        ...

    def next_due(self, destination: str) -> Optional[float]:
        """Seconds until there is something to send, to ask for or to expire; `None` if there is nothing at all.

        A pause counts for what is to be sent.
        """
        ...

    def oldest_pending(self, destination: Optional[str] = None) -> Optional[float]:
        """The age in seconds of the oldest record that is not delivered, dead or held."""
        ...

    def prune(self, older_than: float) -> int:
        """Delete records that were delivered more than so many seconds ago, and keys of shares that went into them.

        Their keys are new from then on. It is done in pieces, each in a transaction of its own, as `release` is.
        """
        ...

    def pause(self, destination: str, seconds: float) -> None:
        """Let no worker on this store send to a destination for a while: it answered 429. The longest wish counts."""
        ...

    def paused(self, destination: str) -> float:
        """Seconds for which nobody may send to it."""
        ...

    def wait(self, seconds: float) -> bool:
        """Sleep until another process or thread may have added something, at most so long; whether it has."""
        ...

    def wake(self) -> None:
        """Let every `wait` of this process return at once."""
        ...

    def due_windows(self, destination: str, *, all_of_them: bool = False) -> list[str]:
        """Names of the windows that are over; or of all that have shares."""
        ...

    def next_window_end(self, destination: str) -> Optional[float]:
        """Seconds until the first window is over; `None` if there is none."""
        ...

    def close_window(self, destination: str, window: str, make: MakeRecords) -> Sequence[str]:
        """Replace the shares of a window by records, in one transaction; answers their keys.

        Two processes may try it: one finds the shares. What is carried over belongs to the destination.
        """
        ...

    def now(self) -> float:
        """The store's clock, in seconds since 1970."""
        ...

    def journal(self, runs: Mapping[str, tuple[str, str]], events: Sequence[tuple[str, int, str]], owner: str) -> None:
        """Append to the journal of open runs. What is there already stays as it is: it may be said again.

        Args:
            runs: Runs that started: uid to destination and header.
            events: What happened, as uid, number and event. The number is the event's place in its run: it gives their
                order. Those of runs that are not in the journal are left out.
            owner: The process; see `keep_alive`.
        """
        ...

    def forget(self, uids: Sequence[str]) -> None:
        """Take runs out of the journal of which nothing is to be billed."""
        ...

    def keep_alive(self, owner: str, lease: float) -> None:
        """Say that a process lives, whose runs nobody may close for so many seconds."""
        ...

    def take_orphans(self, is_gone: Callable[[str], Optional[bool]], owner: str, lease: float) -> list[OpenRun]:
        """Take open runs whose process is gone, so that only one process closes them.

        Args:
            is_gone: Whether the process of an owner is gone; `None` if nobody can tell, as for another machine's.
                Then its lease decides.
            owner: The process that takes them. They are its own from then on, until it adds their records.
            lease: For how many seconds.

        Returns:
            The runs. Their `seen_at` is when the process was last heard of in which they ran, whoever took them since.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files."""
        ...
