"""Whether the server answers, whose key it is, and what the clocks say."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Optional
from zoneinfo import ZoneInfo

from keito.cli.checks.finding import Finding, ok, problem, warning
from keito.cli.times import duration

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.types.user import User

_TOLERANCE = 60.0
"""Seconds that clocks may differ. The day of a run, and the search for what is in doubt, depend on them."""


def check_server(client: Keito, zone: Optional[str]) -> Iterator[Finding]:
    """Ask who the key belongs to: one request tells most of it.

    Args:
        client: Whom to ask, and with which key.
        zone: The time zone by which agents bill, if one is set.
    """
    asked = time.time()
    answer = client.users.with_raw_response.me()
    now = (asked + time.time()) / 2
    user = answer.data
    yield ok("reachable", f"{client.base_url} answers")
    yield from _key(user)
    yield from _clock(answer.headers.get("date"), now)
    company: dict[str, Any] = user.company.model_dump() if user.company is not None else {}
    yield from _workspace(company, zone)


def _key(user: User) -> Iterator[Finding]:
    name = " ".join(part for part in (user.first_name, user.last_name) if part) or user.email or user.id
    about = f"{name} ({user.id}), {', '.join(user.roles or ['no roles'])}"
    capabilities: Mapping[str, Any] = (user.model_extra or {}).get("capabilities") or {}
    missing = [what for what in ("time", "expenses") if capabilities and not capabilities.get(f"can_track_{what}")]
    if user.is_active is False:
        yield problem("key", f"{about}: this user is not active", "activate the user, or use another user's key")
    elif missing:
        advice = "create a key with full access; a read-only sync key cannot bill"
        yield problem("key", f"{about}: may not record {' and '.join(missing)}", advice)
    else:
        yield ok("key", about)


def _clock(date: Optional[str], now: float) -> Iterator[Finding]:
    try:
        server = parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError):
        yield warning("clock", "the server does not say what time it is", "compare this machine's clock yourself")
        return
    skew = now - server - 0.5  # the header has whole seconds, cut off
    if abs(skew) <= _TOLERANCE:
        yield ok("clock", f"differs from the server's by less than {max(1, round(abs(skew)) + 1)} s")
        return
    text = f"this machine's clock is {duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the server's"
    yield problem("clock", text, "set the clock (NTP): the day that work is billed on depends on it")


def _workspace(company: Mapping[str, Any], zone: Optional[str]) -> Iterator[Finding]:
    rounding = company.get("time_rounding")
    if isinstance(rounding, str) and rounding.lower() != "none":
        text = f"this workspace rounds time ({rounding}): each run of an agent becomes at least one step"
        yield warning("rounding", text, 'bill many small runs as one entry with rollup="day", or switch it off')
    name = company.get("timezone")
    if isinstance(name, str) and not _same_zone(name, zone):
        ours = zone or "this machine's"
        text = f"days of the workspace are those of {name}, agents bill by {ours} days"
        yield warning("time zone", text, f"set KEITO_TIMEZONE={name}")


def _same_zone(theirs: str, ours: Optional[str]) -> bool:
    if theirs == ours:
        return True
    now = datetime.now(timezone.utc)
    try:
        local = now.astimezone(ZoneInfo(ours) if ours else None)
        return now.astimezone(ZoneInfo(theirs)).utcoffset() == local.utcoffset()
    except (KeyError, ValueError, OSError):  # a name that is not installed here: nothing to compare with
        return True
