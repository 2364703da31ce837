"""Calls without a price as rows of metadata, from which they can be priced once there is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime, timezone
from typing import Any

from keito.billing.cost import Gap
from keito.metering import Usage
from keito.pricing.kinds import unpriceable

_SUFFIX = "_tokens"
_COUNTS = tuple(field.name for field in fields(Usage) if field.name.endswith(_SUFFIX))


def gap_rows(gaps: Iterable[Gap]) -> list[dict[str, Any]]:
    """Those that a price would help."""
    return [_row(gap) for gap in gaps if _needs_a_price(gap)]


def _needs_a_price(gap: Gap) -> bool:
    """Whether it is only a price that is missing: tokens and hour are known, and nothing about them is impossible."""
    known = gap.usage.total_tokens and unpriceable(gap.usage) is None and gap.hour is not None
    return bool(known) and not gap.reason.startswith(("the provider reported", "impossible"))


def _row(gap: Gap) -> dict[str, Any]:
    counts = {name[: -len(_SUFFIX)]: getattr(gap.usage, name) for name in _COUNTS}
    row = {
        "provider": gap.provider,
        "model": gap.model,
        "tier": gap.tier,
        "hour": gap.hour.strftime("%Y-%m-%dT%HZ") if gap.hour else None,
        "calls": gap.calls,
        "tokens": {name: count for name, count in counts.items() if count},
    }
    return {name: value for name, value in row.items() if value is not None}


def joined_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each model and tier, whatever the hour: for metadata that has no room for more."""
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for row in rows:
        place = (row.get("provider"), row["model"], row.get("tier"))
        found[place] = _join(found[place], row) if place in found else dict(row)
    return list(found.values())


def _join(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    first, last = min(one["hour"], other["hour"]), max(one.get("until", one["hour"]), other["hour"])
    tokens = Counter[str](one["tokens"])
    tokens.update(other["tokens"])
    until = {"until": last} if last > first else {}
    return {**one, "hour": first, **until, "calls": one["calls"] + other["calls"], "tokens": dict(tokens)}


def gaps_of(facts: Mapping[str, Any]) -> list[Gap]:
    """The calls without a price that the metadata of a time entry names.

    Args:
        facts: What `keito` has in the metadata.
    """
    return [_gap(row) for row in facts.get("gaps", ())]


def _gap(row: Mapping[str, Any]) -> Gap:
    hour = _moment(row["hour"])
    counts: dict[str, Any] = {f"{name}{_SUFFIX}": int(count) for name, count in row["tokens"].items()}
    until = _moment(row["until"]) if "until" in row else None
    return Gap(
        row.get("provider"), row["model"], row.get("tier"), "unpriced", hour, row["calls"], Usage(**counts), until
    )


def _moment(hour: str) -> datetime:
    return datetime.strptime(hour, "%Y-%m-%dT%HZ").replace(tzinfo=timezone.utc)
