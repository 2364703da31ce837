"""Whether the outbox can be written, and what is stuck in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Optional

from keito.cli.checks.duplicates import duplicate
from keito.cli.checks.finding import Finding, ok, problem, warning
from keito.cli.records import UNDELIVERED, undelivered, walk
from keito.cli.times import duration
from keito.outbox.stored import RecordState, StoredRecord

if TYPE_CHECKING:
    from keito.outbox.store import Store

_LONG = 900.0
"""Seconds after which what waits makes one ask whether anybody sends it."""

_FOREVER = 1e11
"""Seconds: nothing is older, so that deleting what is older is a write that changes nothing."""

_MOST_REASONS = 5
_SAMPLE = 1000
"""Of how many stuck records the reasons are told apart."""


def check_outbox(store: Store, home: Optional[str], *, look_for_duplicates: bool) -> Iterator[Finding]:
    """Look at a store.

    Args:
        store: Which one.
        home: The account that this machine's key sends to; `None` if there is no key.
        look_for_duplicates: Whether to read all that is delivered for those that the relay found twice.
    """
    store.prune(_FOREVER)
    yield ok("outbox", f"{store.url} can be written, and is of this keito's version")
    counts = store.counts()
    waiting = {state: counts.get(state, 0) for state in UNDELIVERED}
    yield from _stuck(store, waiting)
    yield from _waiting(store, waiting)
    if home is not None:
        yield from _elsewhere(undelivered(counts) - undelivered(store.counts(home)), home)
    if look_for_duplicates:
        yield from _duplicates(store)


def _stuck(store: Store, waiting: Mapping[RecordState, int]) -> Iterator[Finding]:
    advice = {
        RecordState.HELD: "put the reason right, then: outbox retry",
        RecordState.DEAD: "look with: outbox show KEY; what can be sent after all: outbox retry KEY",
    }
    for state, what_to_do in advice.items():
        if waiting[state]:
            found = store.find(states=[state], limit=_SAMPLE)
            text = f"{_records(waiting[state])} {state}: {'; '.join(_reasons(found))}"
            yield problem(f"{state} records", text, what_to_do)
    if not waiting[RecordState.HELD] and not waiting[RecordState.DEAD]:
        yield ok("held and dead records", "none")


def _reasons(records: list[StoredRecord]) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for record in records:
        by_reason.setdefault(record.reason or f"status {record.status_code}", []).append(record.key)
    texts = [f"{reason} ({_some(keys)})" for reason, keys in by_reason.items()]
    return [*texts[:_MOST_REASONS], *(["..."] if len(texts) > _MOST_REASONS else [])]


def _some(keys: list[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1:,} more"


def _waiting(store: Store, waiting: Mapping[RecordState, int]) -> Iterator[Finding]:
    count = waiting[RecordState.PENDING] + waiting[RecordState.SENDING] + waiting[RecordState.UNSURE]
    oldest = store.oldest_pending()
    if not count or oldest is None:
        yield ok("waiting records", "none")
    elif oldest < _LONG:
        yield ok("waiting records", f"{_records(count)} waiting, for at most {duration(oldest)}")
    else:
        text = f"{_records(count)} waiting, for up to {duration(oldest)}"
        yield warning("waiting records", text, "start a relay (python -m keito relay), or send them: outbox flush")


def _elsewhere(count: int, home: str) -> Iterator[Finding]:
    if count > 0:
        text = f"{_records(count)} for other accounts or servers than {home}"
        yield warning("other accounts", text, "a relay with their account's key must send them: outbox export names it")


def _duplicates(store: Store) -> Iterator[Finding]:
    for record in walk(store, [RecordState.DELIVERED]):
        start, _, ids = (record.reason or "").partition("duplicate: ")
        if not start and ids:
            yield duplicate(str(record.kind).replace("_", " "), record.key, ids.split(", "))


def _records(count: int) -> str:
    return f"{count:,} {'record is' if count == 1 else 'records are'}"
