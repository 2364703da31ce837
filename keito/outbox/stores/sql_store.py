"""A store in an SQL database: what is the same in all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Optional

from keito.outbox.errors import OutboxError
from keito.outbox.fate import LONGEST_PAUSE
from keito.outbox.record import BillingRecord
from keito.outbox.stored import RecordState, Settlement, StoredRecord, WindowShare
from keito.outbox.stores.database import Database, Row, Transaction
from keito.outbox.stores.queries import Queries
from keito.outbox.stores.rows import row_of, settled, stored_record
from keito.outbox.stores.sql_journal import SqlJournal
from keito.outbox.stores.sql_windows import SqlWindows

DEFAULT_LIMIT = 5_000_000
"""Undelivered records in a store: about 3 GB."""

_RELEASABLE = (RecordState.HELD, RecordState.DEAD)


class SqlStore(SqlWindows, SqlJournal):
    """A `Store` in an SQL database. See there for what the methods do.

    Args:
        database: Where it is.
        queries: Its SQL.
        url: The same for people, without password.
        limit: How many undelivered records it may have.
    """

    def __init__(self, database: Database, queries: Queries, url: str, limit: int = DEFAULT_LIMIT) -> None:
        super().__init__(database, queries)
        self._url = url
        self._limit = limit
        self._room = 0

    @property
    def url(self) -> str:
        """Where it is, without password."""
        return self._url

    def add(
        self,
        records: Sequence[BillingRecord],
        destination: str,
        *,
        run_id: Optional[str] = None,
        shares: Sequence[WindowShare] = (),
    ) -> Sequence[str]:
        """See `Store.add`."""
        rows = [row_of(record, destination, run_id) for record in records]
        self._make_room(len(rows) + len(shares))

        def work(tx: Transaction) -> list[str]:
            new = self._insert(tx, rows) + self._insert_shares(tx, shares, destination)
            self._end_run(tx, run_id)
            return new

        keys = self._db.write(work)
        self._announce(keys)
        return keys

    def claim(self, destination: str, owner: str, limit: int, lease: float) -> list[StoredRecord]:
        """See `Store.claim`."""

        def work(tx: Transaction) -> list[Row]:
            ids = _ids(tx.rows(self._sql.to_send, destination=destination, limit=limit))
            return self._take(tx, self._sql.claim, ids, owner, lease)

        return [stored_record(row) for row in self._db.write(work)]

    def claim_unsure(self, destination: str, owner: str, limit: int, lease: float) -> list[StoredRecord]:
        """See `Store.claim_unsure`."""

        def work(tx: Transaction) -> list[Row]:
            ids = _ids(tx.rows(self._sql.in_doubt, destination=destination, limit=limit))
            return self._take(tx, self._sql.claim_in_doubt, ids, owner, lease)

        return [stored_record(row) for row in self._db.write(work)]

    def settle(self, owner: str, settlements: Iterable[Settlement]) -> int:
        """See `Store.settle`."""
        values = sorted((settled(each, owner) for each in settlements), key=lambda row: row["key"])
        return self._db.write(lambda tx: sum(tx.each(self._sql.settle, values)))

    def give_back(self, owner: str, keys: Sequence[str]) -> None:
        """See `Store.give_back`."""
        values = [{"key": key, "owner": owner} for key in sorted(keys)]
        self._db.write(lambda tx: tx.each(self._sql.give_back, values))
        self._announce(keys)

    def expire(self, destination: str, quiet: float, is_gone: Callable[[str], Optional[bool]] = lambda _: None) -> int:
        """See `Store.expire`."""
        owners = self._db.read(lambda tx: tx.rows(self._sql.workers, destination=destination))
        gone = [owner for (owner,) in owners if is_gone(owner)]
        number = self._let_go(destination, gone, quiet) if gone else 0
        return number + self._in_pieces(self._sql.expire, destination=destination, quiet=quiet)

    def _let_go(self, destination: str, gone: list[str], quiet: float) -> int:
        self._in_pieces(self._sql.stop_asking, destination=destination, gone=gone)
        return self._in_pieces(self._sql.expire_gone, destination=destination, gone=gone, quiet=quiet)

    def follow_clock(self, destination: str) -> int:
        """See `Store.follow_clock`."""
        return self._in_pieces(self._sql.follow_clock, destination=destination)

    def release(
        self, destination: Optional[str], states: Sequence[RecordState], keys: Optional[Sequence[str]] = None
    ) -> int:
        """See `Store.release`."""
        if not set(states) <= set(_RELEASABLE):
            raise ValueError("only held and dead records can be released")
        places = [
            {"destination": each, "state": state.value} for each in self._destinations(destination) for state in states
        ]
        if keys is None:
            number = sum(self._in_pieces(self._sql.release, **place) for place in places)
        else:
            values = [{**place, "key": key} for key in sorted(keys) for place in places]
            number = self._db.write(lambda tx: sum(tx.each(self._sql.release_key, values)))
        self._announce(number)
        return number

    def withdraw(self, key: str, state: RecordState, reason: str) -> bool:
        """See `Store.withdraw`."""
        value = {"key": key, "state": state.value, "reason": reason[:2000]}
        return bool(self._db.write(lambda tx: tx.run(self._sql.withdraw, **value)))

    def counts(self, destination: Optional[str] = None) -> Mapping[RecordState, int]:
        """See `Store.counts`."""
        numbers = dict.fromkeys(RecordState, 0)
        for where, state, number in self._db.read(lambda tx: tx.rows(self._sql.counts)):
            if destination in (None, where):
                numbers[RecordState(state)] += int(number)
        return numbers

    def delivered_since(self, destination: str, moment: float) -> int:
        """See `Store.delivered_since`."""
        query = self._sql.delivered_since
        return int(self._db.read(lambda tx: tx.rows(query, destination=destination, moment=moment))[0][0])

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
        """See `Store.find`."""

        def work(tx: Transaction) -> list[Row]:
            start = -1 if after is None else self._id_of(tx, after)
            if key is not None:
                rows = tx.rows(self._sql.by_key, key=key)
            elif run_id is not None:
                rows = tx.rows(self._sql.by_run, run_id=run_id)
            elif destination is None and states is None:
                rows = tx.rows(self._sql.all_records, after=start, limit=limit)
            else:
                rows = self._by_state(tx, destination, states, start, limit)
            return [row for row in rows if row[0] > start]

        found = [stored_record(row[1:]) for row in sorted(self._db.read(work))]
        wanted = (one for one in found if destination in (None, one.destination))
        return [one for one in wanted if (states is None or one.state in states) and run_id in (None, one.run_id)][
            :limit
        ]

    def next_due(self, destination: str) -> Optional[float]:
        """See `Store.next_due`."""
        rows = self._db.read(lambda tx: tx.rows(self._sql.next_due, destination=destination))
        waits: dict[str, float] = {duty: seconds for duty, seconds in rows if seconds is not None}
        if "send" in waits:
            waits["send"] = max(waits["send"], self.paused(destination))
        return max(0.0, min(waits.values())) if waits else None

    def oldest_pending(self, destination: Optional[str] = None) -> Optional[float]:
        """See `Store.oldest_pending`."""
        states = (RecordState.PENDING, RecordState.SENDING, RecordState.UNSURE)
        places = [(each, state.value) for each in self._destinations(destination) for state in states]

        def work(tx: Transaction) -> list[Row]:
            return [row for where, state in places for row in tx.rows(self._sql.oldest, destination=where, state=state)]

        return max((float(row[0]) for row in self._db.read(work)), default=None)

    def prune(self, older_than: float) -> int:
        """See `Store.prune`."""
        self._in_pieces(self._sql.prune_shares, older_than=older_than)
        self._db.write(lambda tx: (tx.run(self._sql.prune_owners), tx.run(self._sql.fold_counts)))
        return self._in_pieces(self._sql.prune, older_than=older_than)

    def pause(self, destination: str, seconds: float) -> None:
        """See `Store.pause`."""
        wished = min(seconds, LONGEST_PAUSE)
        self._db.write(lambda tx: tx.run(self._sql.pause, destination=destination, seconds=wished))

    def paused(self, destination: str) -> float:
        """See `Store.paused`."""
        rows = self._db.read(lambda tx: tx.rows(self._sql.paused, destination=destination))
        return max([0.0, *(float(row[0]) for row in rows)])

    def now(self) -> float:
        """See `Store.now`."""
        return self._db.now()

    def close(self) -> None:
        """See `Store.close`."""
        self._db.close()
        self.wake()

    def _make_room(self, number: int) -> None:
        # Asked for only now and then: a tenth of the free room may be filled before it is looked at again.
        if number > self._room:
            free = self._limit - int(self._db.read(lambda tx: tx.rows(self._sql.undelivered))[0][0])
            if number > free:
                raise _full(self._url, self._limit)
            self._room = max(free // 10, number)
        self._room -= number

    def _take(self, tx: Transaction, query: str, ids: list[int], owner: str, lease: float) -> list[Row]:
        if not ids:
            return []
        tx.run(query, ids=ids, owner=owner, lease=lease)
        return tx.rows(self._sql.by_ids, ids=ids)

    def _destinations(self, destination: Optional[str]) -> list[str]:
        if destination is not None:
            return [destination]
        return [row[0] for row in self._db.read(lambda tx: tx.rows(self._sql.destinations))]

    def _by_state(
        self,
        tx: Transaction,
        destination: Optional[str],
        states: Optional[Sequence[RecordState]],
        start: int,
        limit: int,
    ) -> list[Row]:
        # Each place by itself is found by an index, however many records there are.
        places = [destination] if destination is not None else [row[0] for row in tx.rows(self._sql.destinations)]
        found: list[Row] = []
        for place in places:
            for state in RecordState if states is None else states:
                found += tx.rows(self._sql.by_state, destination=place, state=state.value, after=start, limit=limit)
        return found

    def _id_of(self, tx: Transaction, key: str) -> int:
        rows = tx.rows(self._sql.id_of, key=key)
        if not rows:
            raise ValueError(f"there is no record {key}")
        return int(rows[0][0])


def _ids(rows: list[Row]) -> list[int]:
    return [row[0] for row in rows]


def _full(url: str, limit: int) -> Exception:
    return OutboxError(
        f"outbox {url} has reached its limit of {limit:,} undelivered records: see `python -m keito outbox status`"
    )
