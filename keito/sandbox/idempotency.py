"""A repeated write is answered from memory: the record is made once however often the request arrives.

The answer is kept in the transaction of the write itself, so the two can't part: whoever lost the answer and asks
again finds either both or neither. As there is one writer, of two equal requests the second waits for the first.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from typing import NamedTuple, Optional

from keito.sandbox.choices import IDEMPOTENCY_KEY_MAX_LENGTH
from keito.sandbox.errors import bad_request, conflict


class Answer(NamedTuple):
    """A status and the bytes of a body."""

    status: int
    body: bytes
    replayed: bool = False


class Key(NamedTuple):
    """A key of a user, and what it was first used for."""

    user: int
    text: str
    fingerprint: str


def key_of(headers: Mapping[str, str], user: int, method: str, path: str, body: bytes) -> Optional[Key]:
    """The request's key, or None."""
    text = headers.get("idempotency-key") or headers.get("x-idempotency-key")
    if not text:
        return None
    if len(text) > IDEMPOTENCY_KEY_MAX_LENGTH:
        raise bad_request(f"Idempotency-Key is longer than {IDEMPOTENCY_KEY_MAX_LENGTH} characters")
    digest = hashlib.sha256(f"{method} {path}\n".encode() + body)
    return Key(user, text, digest.hexdigest())


def recall(db: sqlite3.Connection, key: Key) -> Optional[Answer]:
    """The first answer to the same request.

    Raises:
        ApiError: 409 when the key was used for another request.
    """
    statement = "SELECT * FROM idempotency_keys WHERE user = ? AND key = ?"
    row = db.execute(statement, (key.user, key.text)).fetchone()
    if row is None:
        return None
    if row["fingerprint"] != key.fingerprint:
        raise conflict("Idempotency-Key was used for a different request")
    return Answer(row["status"], row["body"], replayed=True)


def keep(db: sqlite3.Connection, key: Key, answer: Answer) -> None:
    """Remember the answer to a request that succeeded."""
    statement = "INSERT INTO idempotency_keys (user, key, fingerprint, status, body) VALUES (?, ?, ?, ?, ?)"
    db.execute(statement, (*key, answer.status, answer.body))
