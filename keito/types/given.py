"""What callers pass in: "not given", dates, numbers, times and metadata, checked by the API's contract."""

import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Optional, Union
from uuid import UUID

from pydantic import BeforeValidator, Field
from typing_extensions import Literal

METADATA_LIMIT = 4096
"""Bytes of compact UTF-8 JSON that the API accepts as metadata ("max 4 KB serialized")."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_COMPACT_DAY = re.compile(r"\d{8}\Z")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d\Z")


class NotGiven(Enum):
    """The default of optional arguments, since `None` means JSON's null to the API."""

    NOT_GIVEN = "not given"

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Literal[NotGiven.NOT_GIVEN] = NotGiven.NOT_GIVEN


def parse_day(value: object) -> date:
    """Read a calendar day.

    Raises:
        ValueError: It is neither a `date` nor `YYYY-MM-DD`. A `datetime` is refused since its day depends on a time
            zone that only the caller knows: `spent_date` is the day in the workspace.
    """
    if isinstance(value, datetime):
        raise ValueError("must be a date, not a datetime: pass .date() in the workspace's time zone")
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _DAY.match(value):
        raise ValueError("must be a date or YYYY-MM-DD")
    return date.fromisoformat(value)


def parse_report_day(value: object) -> date:
    """Read a calendar day, also in the compact form `YYYYMMDD` of reports."""
    if isinstance(value, str) and _COMPACT_DAY.match(value):
        return parse_day(f"{value[:4]}-{value[4:6]}-{value[6:]}")
    return parse_day(value)


def parse_instant(value: object) -> str:
    """Read a moment in time; answers it as the API wants it, ISO 8601 in UTC with `Z`."""
    if isinstance(value, str):
        text = value[:-1] + "+00:00" if value.endswith(("Z", "z")) else value
        value = datetime.fromisoformat(text)
    if not isinstance(value, datetime):
        raise ValueError("must be a datetime or its ISO 8601 text")
    if value.tzinfo is None:
        raise ValueError("must have a time zone")
    try:
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise ValueError("is out of the range of dates in UTC") from None


def parse_clock(value: object) -> str:
    """Read a time of day, `HH:mm` on a 24-hour clock in the workspace's time zone."""
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if not isinstance(value, str) or not _CLOCK.match(value):
        raise ValueError("must be HH:mm on a 24-hour clock")
    return value


def parse_number(value: object) -> Union[int, float, Decimal]:
    """Read a number as it is given; bool, text, NaN and infinity are no numbers to the API."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError("must be an int, float or Decimal")
    if not _is_finite(value):
        raise ValueError("must be a finite number")
    return value


def _is_finite(value: Union[int, float, Decimal]) -> bool:
    """Whether a number is finite as an IEEE double, which is what the API reads."""
    try:
        return math.isfinite(value)
    except (OverflowError, ValueError):  # an int above 1e308, a signalling NaN
        return False


def parse_metadata(value: object) -> dict[str, Any]:
    """Check metadata before it is sent.

    Raises:
        ValueError: It is not an object, cannot be JSON, or is larger than 4,096 bytes as compact UTF-8.
    """
    if not isinstance(value, Mapping):
        raise ValueError("must be an object (a mapping)")
    entries: dict[str, Any] = dict(value)  # pyright: ignore[reportUnknownArgumentType]
    size = len(encode(entries))
    if size > METADATA_LIMIT:
        raise ValueError(f"is {size:,} bytes as JSON; at most {METADATA_LIMIT:,} are accepted")
    return entries


def encode(value: object) -> bytes:
    """Compact UTF-8 JSON of a request's body.

    Raises:
        ValueError: It is not JSON: an unknown type, NaN, a cycle, text that UTF-8 cannot carry.
    """
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error}") from None


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        if not _is_finite(value):
            raise ValueError(f"{value} is not a finite number")
        # The API reads numbers as IEEE doubles; the shortest text of the nearest double is what arrives there.
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _optional(parse: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: None if value is None else parse(value))


Number = Union[int, float, Decimal]
DateLike = Union[date, str]
InstantLike = Union[datetime, str]
ClockLike = Union[time, str]

Day = Annotated[date, BeforeValidator(parse_day)]
Amount = Annotated[Number, BeforeValidator(parse_number)]
Money = Annotated[Number, BeforeValidator(parse_number), Field(ge=0)]
Hours = Annotated[Number, BeforeValidator(parse_number), Field(ge=0, le=24)]
Clock = Annotated[Optional[str], _optional(parse_clock)]
Metadata = Annotated[Optional[dict[str, Any]], _optional(parse_metadata)]
