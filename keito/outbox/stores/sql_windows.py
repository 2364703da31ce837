"""The windows of rollups in an SQL database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from keito.outbox.stored import WindowShare
from keito.outbox.stores.database import Transaction
from keito.outbox.stores.rows import row_of
from keito.outbox.stores.sql_part import SqlPart

if TYPE_CHECKING:
    from keito.outbox.store import MakeRecords


class SqlWindows(SqlPart):
    """What a `Store` does with windows. See there."""

    def due_windows(self, destination: str, *, all_of_them: bool = False) -> list[str]:
        """See `Store.due_windows`."""
        query = self._sql.open_windows if all_of_them else self._sql.due_windows
        return [row[0] for row in self._db.read(lambda tx: tx.rows(query, destination=destination))]

    def next_window_end(self, destination: str) -> Optional[float]:
        """See `Store.next_window_end`."""
        rows = self._db.read(lambda tx: tx.rows(self._sql.next_window_end, destination=destination))
        return None if rows[0][0] is None else max(0.0, float(rows[0][0]))

    def close_window(self, destination: str, window: str, make: MakeRecords) -> Sequence[str]:
        """See `Store.close_window`."""

        def work(tx: Transaction) -> list[str]:
            tx.rows(self._sql.lock_windows, destination=destination)
            shares = tx.rows(self._sql.shares, destination=destination, window=window)
            if not shares:
                return []
            carried: dict[str, str] = dict(tx.rows(self._sql.carried, destination=destination))
            records, changes = make([body for _, body in shares], carried)
            new = self._insert(tx, [row_of(record, destination, None) for record in records])
            tx.run(self._sql.close_shares, ids=[id for id, _ in shares])
            for place, amount in changes.items():
                self._carry(tx, destination, place, amount)
            return new

        keys = self._db.write(work)
        self._announce(keys)
        return keys

    def _carry(self, tx: Transaction, destination: str, place: str, amount: str) -> None:
        if amount:
            tx.run(self._sql.carry, destination=destination, place=place, amount=amount)
        else:
            tx.run(self._sql.drop_carry, destination=destination, place=place)

    def _insert_shares(self, tx: Transaction, shares: Sequence[WindowShare], destination: str) -> list[str]:
        values = [
            {
                "key": share.key,
                "destination": destination,
                "window": share.window,
                "ends_at": share.ends_at,
                "body": share.body,
            }
            for share in shares
        ]
        new = tx.each(self._sql.insert_share, values) if values else []
        return [share.key for share, is_new in zip(shares, new) if is_new]
