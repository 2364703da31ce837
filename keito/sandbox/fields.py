"""The types that requests are made of: strict, because a lax fake hides a client's mistakes."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Annotated, Any, Optional, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema

from keito.sandbox import choices

T = TypeVar("T")

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_COMPACT_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_INSTANT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9:]{8})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})?")


class NotNull:
    """Marks an Optional that may be left out but may not be null."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema


Given = Annotated[Optional[T], NotNull()]


def whole(value: Any) -> Any:
    """1.0 is an integer to JSON, though not to Python."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def day(value: str) -> str:
    """A calendar day as `YYYY-MM-DD`."""
    match = _DATE.fullmatch(value)
    if match is None:
        raise ValueError("must be a date, YYYY-MM-DD")
    return _real_day(match)


def day_or_compact(value: str) -> str:
    """A calendar day, also as `YYYYMMDD`; reports take both forms."""
    match = _DATE.fullmatch(value) or _COMPACT_DATE.fullmatch(value)
    if match is None:
        raise ValueError("must be a date, YYYY-MM-DD or YYYYMMDD")
    return _real_day(match)


def _real_day(match: re.Match[str]) -> str:
    try:
        return date(*map(int, match.groups())).isoformat()
    except ValueError:
        raise ValueError("is not a day of the calendar") from None


def instant(value: str) -> str:
    """A point in time, as the UTC text that is stored."""
    match = _INSTANT.fullmatch(value)
    if match is None:
        raise ValueError("must be an ISO 8601 date-time")
    try:
        return utc_text(_instant(match))
    except (ValueError, OverflowError):
        raise ValueError("is not a point in time") from None


def _instant(match: re.Match[str]) -> datetime:
    day_text, clock, fraction, offset = match.groups()
    moment = datetime.fromisoformat(f"{day_text}T{clock}")
    moment += timedelta(seconds=float(fraction or 0))
    return moment.replace(tzinfo=_offset(offset or "Z"))


def _offset(text: str) -> timezone:
    if text in ("Z", "z"):
        return timezone.utc
    delta = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-delta if text[0] == "-" else delta)


def utc_text(moment: datetime) -> str:
    """`2026-03-05T09:30:00.000Z`: milliseconds and Z, so that texts sort as times do."""
    moment = moment.astimezone(timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z".rjust(24, "0")


def utc_moment(text: str) -> datetime:
    """The inverse of `utc_text`."""
    return datetime.fromisoformat(text[:-1]).replace(tzinfo=timezone.utc)


def _flag(value: Any) -> Any:
    flags = {"true": True, "false": False}
    if value not in flags:
        raise ValueError("must be true or false")
    return flags[value]


def _counting(value: Any) -> Any:
    if not re.fullmatch(r"[0-9]{1,18}", str(value)):
        raise ValueError("must be a positive integer")
    return int(value)


Id = Annotated[str, Field(min_length=1, max_length=255)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Amount = Annotated[float, Field(ge=0, le=choices.MAX_AMOUNT)]
SignedAmount = Annotated[float, Field(ge=-choices.MAX_AMOUNT, le=choices.MAX_AMOUNT)]
Percent = Annotated[float, Field(ge=0, le=100)]
Hours = Annotated[float, Field(ge=0, le=choices.MAX_HOURS)]
Units = Annotated[int, Field(ge=1, le=choices.MAX_AMOUNT), BeforeValidator(whole)]
Days = Annotated[int, Field(ge=0, le=3650), BeforeValidator(whole)]
Day = Annotated[str, AfterValidator(day), WithJsonSchema({"type": "string", "format": "date"})]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Email = Annotated[
    str,
    Field(
        pattern=r"^[^@\s]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
        max_length=255,
        json_schema_extra={"format": "email"},
    ),
]

# Both forms are read everywhere; each is documented where the API documents it.
QueryDay = Annotated[str, AfterValidator(day_or_compact), WithJsonSchema({"type": "string", "format": "date"})]
ReportDay = Annotated[
    str,
    AfterValidator(day_or_compact),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])$"}),
]
QueryInstant = Annotated[str, AfterValidator(instant), WithJsonSchema({"type": "string", "format": "date-time"})]
QueryFlag = Annotated[bool, BeforeValidator(_flag)]
QueryPage = Annotated[int, Field(ge=1, le=choices.MAX_PAGE), BeforeValidator(_counting)]
QueryPageSize = Annotated[int, Field(ge=1, le=2000), BeforeValidator(_counting)]
