"""Reading of answers that may be dictionaries, models of a client library, or anything else. Nothing here raises."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, Optional

from typing_extensions import TypeGuard

TEXT_LIMIT = 256
"""Characters of a name; what is longer is none."""

_RAW_LIMIT = 400
"""Characters of a raw usage that are kept; a run may have many."""


_NOTHING: Mapping[Any, Any] = {}


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether `value` is a mapping, of whatever to whatever."""
    return type(value) is dict or isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether `value` is a list."""
    return isinstance(value, list)


def mapping(value: object) -> Mapping[Any, Any]:
    """`value` if it is a mapping, else an empty one."""
    if type(value) is dict:
        return value  # pyright: ignore[reportUnknownVariableType] - as in `named`
    return value if is_mapping(value) else _NOTHING


def named(source: Any) -> Any:
    """What the names of `source` are looked up in: its own dictionary, for mappings and for pydantic's models.

    Such a model takes a microsecond to say that it has no attribute of some name.
    """
    if type(source) is dict:
        return source  # pyright: ignore[reportUnknownVariableType] - a cast is a call, and an agent waits for this
    try:
        further = source.__pydantic_extra__
        declared = source.__dict__
    except Exception:  # it is no model
        return source
    return {**declared, **further} if further else declared


def field(source: object, *path: str) -> Any:
    """The value at `path`, through mappings and attributes alike; `None` where there is none."""
    value: Any = source
    for name in path:
        value = _get(value, name)
        if value is None:
            return None
    return value


def _get(source: Any, name: str) -> Any:
    place = named(source)
    try:
        return place.get(name) if is_mapping(place) else getattr(place, name, None)
    except Exception:  # a property of somebody else's object
        return None


def is_missing(value: object) -> bool:
    """Whether `value` stands for nothing: `None`, an empty text, or a client library's marker of what was not sent."""
    try:
        return value is not False and not value
    except Exception:  # such as the truth of an array
        return False


def text(value: object) -> Optional[str]:
    """`value` if it is a text of reasonable length, or an enum member with one."""
    if type(value) is str:
        return value if 0 < len(value) <= TEXT_LIMIT else None
    found = getattr(value, "value", value) if isinstance(value, str) else value
    return str(found) if isinstance(found, str) and 0 < len(found) <= TEXT_LIMIT else None


def amount(value: object) -> Optional[Decimal]:
    """`value` if it is a number that can be a cost: finite and not negative."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    try:
        found = Decimal(str(value))  # 0.95 is meant where JSON says 0.95, not the double that is nearest to it
    except (InvalidOperation, ValueError):
        return None
    return found if found.is_finite() and found >= 0 else None


def members(source: object) -> Mapping[Any, Any]:
    """The named values of a mapping or of an object, further ones that a model does not declare included."""
    found = named(source)
    return found if is_mapping(found) else mapping(getattr(found, "__dict__", None))


def rows(source: object) -> Sequence[Any]:
    """`source` if it is a list or alike, such as a repeated field of a protobuf message, else nothing."""
    if is_list(source):
        return source
    found: Sequence[Any] = source if isinstance(source, Sequence) and not isinstance(source, (str, bytes)) else ()  # pyright: ignore[reportUnknownVariableType]
    return found


def raw_text(source: object) -> str:
    """Short JSON of the counts in `source`. Texts are left out: a usage has none that matter."""
    return json.dumps(_numbers(source, 4), separators=(",", ":"))[:_RAW_LIMIT]


def _numbers(value: object, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value if not isinstance(value, int) or abs(value) < 10**30 else "…"
    if isinstance(value, str) or depth == 0:
        return "…"
    if rows(value):
        return [_numbers(item, depth - 1) for item in islice(rows(value), 16)]
    named = [(str(name)[:64], item) for name, item in list(members(value).items())[:32]]
    return {name: _numbers(item, depth - 1) for name, item in named if not name.startswith("_")}
