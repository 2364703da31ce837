"""When a call is sent again. The loop is a generator: it asks its driver to send or to sleep, and does no I/O."""

import logging
import math
import random
import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Optional, TypeVar, Union

import httpx

from keito.core.answer import error_of
from keito.core.call import Call
from keito.core.errors import KeitoConnectionError, KeitoTimeoutError
from keito.core.log import logger
from keito.core.reply import Reply

T = TypeVar("T")

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
RETRY_AFTER_CAP = 60.0
"""Seconds; a server that asks for more gets an error with `.retry_after` instead of a caller that hangs."""


@dataclass(frozen=True)
class Lost:
    """An attempt that got no answer.

    Attributes:
        reason: What went wrong, in words.
        timed_out: Whether the timeout ended it.
        sent: False when the connection was never made.
        final: Whether another attempt would be in vain.
    """

    reason: str
    timed_out: bool
    sent: bool
    final: bool = False


class Unusable(Exception):  # noqa: N818 - never reaches a caller
    """The environment does not let a connection be tried."""


class Send:
    """Asks the driver to send the call and to come back with a `Reply` or what was `Lost`."""


@dataclass(frozen=True)
class Sleep:
    """Asks the driver to wait."""

    seconds: float


SEND = Send()
Outcome = Union[Reply, Lost]
Flow = Generator[Union[Send, Sleep], Optional[Outcome], T]


def exchange(call: Call[Any], max_retries: int) -> Flow[Reply]:
    """Send `call` until it is answered for good; the generator returns the reply of a success.

    Raises:
        KeitoApiError: The API refused the call, or still fails after the last retry.
        KeitoTimeoutError: No attempt was answered in time.
        KeitoConnectionError: No attempt got an answer.
    """
    may_have_happened = False
    attempt = 0
    while True:
        attempt += 1
        started = time.perf_counter()
        outcome = yield SEND
        assert outcome is not None
        _log(call, outcome, attempt, time.perf_counter() - started)
        if isinstance(outcome, Reply) and _succeeded(call, outcome, may_have_happened):
            return outcome
        wait = _wait(call, outcome, attempt) if attempt <= max_retries else None
        if wait is None:
            raise _failure(call, outcome, may_have_happened)
        may_have_happened = may_have_happened or _may_have_happened(outcome)
        logger.debug("%s: next attempt in %.2f s", call.name, wait)
        yield Sleep(wait)


def _succeeded(call: Call[Any], reply: Reply, may_have_happened: bool) -> bool:
    # An earlier DELETE whose answer was lost did its work when the next one finds nothing.
    return 200 <= reply.status < 300 or (call.method == "DELETE" and reply.status == 404 and may_have_happened)


def _may_have_happened(outcome: Outcome) -> bool:
    return outcome.sent if isinstance(outcome, Lost) else outcome.status != 429


def _wait(call: Call[Any], outcome: Outcome, attempt: int) -> Optional[float]:
    """Seconds until the next attempt, or `None` if there must be none."""
    if isinstance(outcome, Lost):
        repeated = not outcome.final and (call.retryable or not outcome.sent)
        return backoff(attempt) if repeated else None
    if outcome.status not in RETRIED_STATUSES or not call.retryable:
        return None
    asked = retry_after(outcome.headers) if outcome.status in (429, 503) else None
    if asked is None:
        return backoff(attempt)
    return asked if asked <= RETRY_AFTER_CAP else None


def backoff(attempt: int) -> float:
    """Seconds to wait after attempt 1, 2, ...: `min(2^(attempt-1) * 0.5, 8)` plus up to a quarter of jitter."""
    # The exponent is capped before it is used: 2.0**1024 would overflow.
    base = min(2.0 ** min(attempt - 1, 10) * 0.5, 8.0)
    return base + random.uniform(0, base / 4)  # noqa: S311 - spreads load, guards nothing


def retry_after(headers: httpx.Headers) -> Optional[float]:
    """The seconds that a `Retry-After` header asks for: a number or an HTTP date; `None` for nonsense."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        return _seconds_until(text, headers.get("date"))
    return seconds if seconds >= 0 and math.isfinite(seconds) else None


def _seconds_until(text: str, server_now: Optional[str]) -> Optional[float]:
    # Measured against the server's own Date where it sent one, so that a wrong local clock does no harm.
    moment = _http_date(text)
    if moment is None:
        return None
    seconds = (moment - (_http_date(server_now or "") or datetime.now(timezone.utc))).total_seconds()
    return seconds if seconds >= 0 else None


def _http_date(text: str) -> Optional[datetime]:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _failure(call: Call[Any], outcome: Outcome, may_have_happened: bool) -> Exception:
    if isinstance(outcome, Reply):
        return error_of(call, outcome, retry_after(outcome.headers))
    kind = KeitoTimeoutError if outcome.timed_out else KeitoConnectionError
    return kind(f"{call.name}: {outcome.reason}", sent=outcome.sent or may_have_happened)


def _log(call: Call[Any], outcome: Outcome, attempt: int, seconds: float) -> None:
    if not logger.isEnabledFor(logging.INFO):
        return
    result = outcome.status if isinstance(outcome, Reply) else outcome.reason
    logger.info("%s %s: %s in %.0f ms (attempt %d)", call.method, call.target, result, seconds * 1000, attempt)
