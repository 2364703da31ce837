"""The journal of open runs in an SQL database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Optional

from keito.outbox.stored import OpenRun
from keito.outbox.stores.database import Row, Transaction
from keito.outbox.stores.sql_part import SqlPart

_SIGN_OF_LIFE = 60.0
"""Seconds for which a process that writes a journal counts as alive, should it not say so by itself."""


class SqlJournal(SqlPart):
    """What a `Store` does with the journal. See there."""

    def journal(self, runs: Mapping[str, tuple[str, str]], events: Sequence[tuple[str, int, str]], owner: str) -> None:
        """See `Store.journal`."""
        starts = [
            {"uid": uid, "destination": destination, "header": header, "owner": owner}
            for uid, (destination, header) in runs.items()
        ]
        happened = [{"uid": uid, "number": number, "event": event} for uid, number, event in events]

        def work(tx: Transaction) -> None:
            tx.run(self._sql.sign_of_life, owner=owner, lease=_SIGN_OF_LIFE)
            tx.each(self._sql.insert_run, starts)
            tx.each(self._sql.insert_event, happened)

        self._db.write(work)

    def forget(self, uids: Sequence[str]) -> None:
        """See `Store.forget`."""

        def work(tx: Transaction) -> None:
            for uid in uids:
                self._end_run(tx, uid)

        self._db.write(work)

    def keep_alive(self, owner: str, lease: float) -> None:
        """See `Store.keep_alive`."""
        self._db.write(lambda tx: tx.run(self._sql.keep_alive, owner=owner, lease=lease))

    def take_orphans(self, is_gone: Callable[[str], Optional[bool]], owner: str, lease: float) -> list[OpenRun]:
        """See `Store.take_orphans`."""
        others = self._db.read(lambda tx: tx.rows(self._sql.owners, owner=owner))
        fates = {other: is_gone(other) for other, _ in others}
        gone = [other for other, is_sure in fates.items() if is_sure]
        silent = [other for other, is_over in others if is_over and fates[other] is None]
        if not gone and not silent:
            return []
        return self._db.write(lambda tx: self._adopt(tx, gone, silent, owner, lease))

    def _adopt(self, tx: Transaction, gone: list[str], silent: list[str], owner: str, lease: float) -> list[OpenRun]:
        found = tx.rows(self._sql.orphans, gone=gone, silent=silent)
        tx.run(self._sql.keep_alive, owner=owner, lease=lease)
        tx.run(self._sql.adopt, owner=owner, uids=[row[0] for row in found])
        return [self._open_run(tx, row) for row in found]

    def _open_run(self, tx: Transaction, row: Row) -> OpenRun:
        uid, destination, header, started_at, seen_at = row
        events = tuple(event for (event,) in tx.rows(self._sql.events, uid=uid))
        return OpenRun(uid, destination, header, events, started_at, seen_at)
