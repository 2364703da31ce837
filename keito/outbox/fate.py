"""What an attempt to send a record means for it."""

from __future__ import annotations

from enum import Enum
from typing import Optional

LONGEST_PAUSE = 3600.0
"""Seconds. One wrong header must not stop the bills for years, and to ask once an hour is no burden."""

_OPERATOR_CAN_FIX = {401, 402, 403, 404, 429}

ADVICE = {
    401: "check KEITO_API_KEY and KEITO_ACCOUNT_ID, then flush()",
    402: "check the account's plan, then flush()",
    403: "check KEITO_ACCOUNT_ID, and let the key's user into the project, then flush()",
    404: "an id (project, task, expense category, user) is wrong: add it and flush(), or billing.replace() the run",
    429: "flush() sends it again",
}
"""What an operator can do about a refusal, by its status."""


class Fate(str, Enum):
    """Where a record stands."""

    PENDING = "pending"
    HELD = "held"
    DEAD = "dead"
    UNSURE = "unsure"

    def __str__(self) -> str:
        return self.value


def fate_after(error: BaseException) -> Fate:
    """What to do with a record whose sending failed.

    Only what the server cannot have seen, or has refused, may be sent again. Everything else may have been
    written: a timeout, a broken connection, 5xx, an answer that cannot be read, and any error nobody thought of.
    """
    if not getattr(error, "sent", True):
        return Fate.PENDING
    status = getattr(error, "status_code", None)
    if status in _OPERATOR_CAN_FIX:
        return Fate.HELD
    # 408 is the server's own timeout: it says as little as a lost connection.
    refused = isinstance(status, int) and 400 <= status < 500 and status != 408
    return Fate.DEAD if refused else Fate.UNSURE


def pause_after(error: BaseException) -> Optional[float]:
    """Seconds for which Keito wants to be left alone, as far as it is believed; `None` if it did not say."""
    asked: Optional[float] = getattr(error, "retry_after", None)
    return None if asked is None else min(asked, LONGEST_PAUSE)


def is_over(error: BaseException) -> bool:
    """Whether the server has finished with the request, so that it can be asked at once what has become of it.

    A 500 or 503 of the application is the end of a request. A gateway's 502, 504 or page of its own is not: what is
    behind it may still be at work, as after a timeout.
    """
    status = getattr(error, "status_code", None)
    return status in (500, 503) and isinstance(getattr(error, "body", None), dict)


def is_down(error: BaseException) -> bool:
    """Whether the next request will hardly fare better: nobody answers, the server fails, or the key is not good."""
    status = getattr(error, "status_code", None)
    return status is None or status >= 500 or status in (401, 402, 408)


def is_silent(error: BaseException) -> bool:
    """Whether nobody answered, so that the next request would wait in vain as well."""
    return getattr(error, "status_code", None) is None


def advice(fate: Fate, error: BaseException) -> str:
    """What an operator can do about it."""
    if fate is Fate.HELD:
        return ADVICE[getattr(error, "status_code", 0)]
    if fate is Fate.PENDING:
        return "Keito was not reached; flush() sends it again"
    if fate is Fate.DEAD:
        return "Keito refuses it for good; it is not sent again"
    return "it may exist there: look for its key in the metadata; it is not sent again"
