"""Price tables in files."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any, Union, cast

from keito.pricing.model_price import FIELDS, UNITS, ModelPrice, PriceTableError
from keito.pricing.table import PriceTable

_TABLE_FIELDS = ("currency", "version", "prices")


def read_toml(path: Union[str, PathLike[str]]) -> PriceTable:
    """The table in a TOML file. Numbers become `Decimal` from their text: no float is in between."""
    try:
        toml: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    except ImportError:
        raise ImportError('TOML needs Python 3.11 or: pip install "keito[pricing]"') from None
    try:
        content = toml.loads(_text(path), parse_float=Decimal)
    except toml.TOMLDecodeError as error:
        raise PriceTableError(f"{path}: no TOML: {error}") from None
    return _table(path, content)


def read_json(path: Union[str, PathLike[str]]) -> PriceTable:
    """The table in a JSON file. Numbers become `Decimal` from their text: no float is in between."""
    try:
        content = json.loads(
            _text(path), parse_float=Decimal, parse_constant=Decimal, object_pairs_hook=_without_repetition
        )
    except json.JSONDecodeError as error:
        raise PriceTableError(f"{path}: no JSON: {error}") from None
    except PriceTableError as error:
        raise PriceTableError(f"{path}: {error}") from None
    return _table(path, content)


def _text(path: Union[str, PathLike[str]]) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise PriceTableError(f"{path}: not UTF-8") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a name stand twice, and keeps the last: of two prices, one would be lost in silence."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise PriceTableError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return found


def _table(path: Union[str, PathLike[str]], content: Any) -> PriceTable:
    try:
        return _checked_table(content)
    except PriceTableError as error:
        raise PriceTableError(f"{path}: {error}") from None


def _checked_table(content: Any) -> PriceTable:
    table = _fields_of(content, _TABLE_FIELDS)
    prices: list[Any] = table["prices"] if isinstance(table.get("prices"), list) else []
    version = table.get("version")
    if not prices:
        raise PriceTableError("prices: the table has no entry")
    if version is not None and not isinstance(version, str):
        raise PriceTableError(f"version: {version!r} is not a text")
    entries = [_entry(number, entry) for number, entry in enumerate(prices, 1)]
    return PriceTable(entries, currency=table.get("currency", "USD"), version=version)


def _entry(number: int, content: Any) -> ModelPrice:
    model = cast("dict[str, Any]", content).get("model") if isinstance(content, dict) else None
    try:
        fields = _fields_of(content, FIELDS)
        if model is None:
            raise PriceTableError("model: is missing")
        return ModelPrice(**{name: _value(name, value) for name, value in fields.items()})
    except PriceTableError as error:
        raise PriceTableError(f"prices {number} ({model or 'no model'}): {error}") from None


def _fields_of(content: Any, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise PriceTableError(f"{content!r} is not a table of {', '.join(known)}")
    fields = cast("dict[str, Any]", content)
    for name in fields:
        if name not in known:
            raise PriceTableError(f"{name}: no such field; there are {', '.join(known)}")
    return fields


def _value(name: str, value: Any) -> Any:
    """JSON has neither dates nor exact numbers: both may be texts."""
    try:
        if name in ("valid_from", "valid_until") and isinstance(value, str):
            text = value.replace("Z", "+00:00")
            return date.fromisoformat(text) if len(text) <= len("2026-01-01") else datetime.fromisoformat(text)
        return Decimal(value) if name in UNITS and isinstance(value, str) else value
    except (ValueError, ArithmeticError):
        raise PriceTableError(f"{name}: {value!r} is not understood") from None
