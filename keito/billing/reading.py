"""Policies in the environment and in files."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from decimal import Decimal
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any, Callable, Union, cast

from keito.billing.budget import Budget
from keito.billing.post import UNFINISHED, Post
from keito.metering import Outcome
from keito.pricing import ExchangeRate, PriceTable

VARIABLES = {
    "project_id": "KEITO_PROJECT_ID",
    "task_id": "KEITO_TASK_ID",
    "expense_category_id": "KEITO_EXPENSE_CATEGORY_ID",
    "agent_id": "KEITO_AGENT_ID",
    "user_id": "KEITO_USER_ID",
    "billable": "KEITO_BILLABLE",
    "timezone": "KEITO_TIMEZONE",
}
_YES_AND_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The fields that variables set."""
    found = {field: environment[name].strip() for field, name in VARIABLES.items() if environment.get(name)}
    values: dict[str, Any] = {**found}
    if "billable" in found:
        values["billable"] = _YES_AND_NO.get(found["billable"].lower(), found["billable"])
    return values


def from_file(path: Union[str, PathLike[str]]) -> dict[str, Any]:
    """The fields in the table `[billing]` of a TOML file.

    Raises:
        ValueError: It is no TOML, or the table or one in it is wrong.
    """
    table = _toml(path).get("billing")
    if not isinstance(table, dict):
        raise ValueError(f"{path}: there is no table [billing]")
    values: dict[str, Any] = {**cast("dict[str, Any]", table)}
    for field, read in _TABLES.items():
        if field in values:
            values[field] = _read(path, field, read, values[field])
    if "prices" in values:
        table = Path(path).parent / str(values["prices"])
        values["prices"] = (PriceTable.from_json if table.suffix == ".json" else PriceTable.from_toml)(table)
    return values


def _toml(path: Union[str, PathLike[str]]) -> dict[str, Any]:
    """Numbers become `Decimal` from their text: no float is in between."""
    try:
        toml: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    except ImportError:
        raise ImportError('TOML needs Python 3.11 or: pip install "keito[pricing]"') from None
    try:
        content: dict[str, Any] = toml.loads(Path(path).read_text(encoding="utf-8"), parse_float=Decimal)
    except ValueError as error:  # also what is not UTF-8
        raise ValueError(f"{path}: no TOML: {error}") from None
    return content


def _read(path: Union[str, PathLike[str]], field: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except (TypeError, ValueError, AttributeError, ArithmeticError, KeyError) as error:
        raise ValueError(f"{path}: [billing.{field}]: {error}") from None


def _budgets(value: Any) -> list[Budget]:
    tables = cast("list[dict[str, Any]]", value if isinstance(value, list) else [value])
    return [Budget(**table) for table in tables]


def _exchange_rate(table: dict[str, Any]) -> ExchangeRate:
    fields: dict[str, Any] = {**table, "rate": Decimal(str(table["rate"]))}
    return ExchangeRate(**fields)


_TABLES: dict[str, Callable[[Any], Any]] = {
    "post": lambda table: Post(**table),
    "failed": lambda table: _changed(UNFINISHED, table),
    "cancelled": lambda table: _changed(UNFINISHED, table),
    "abandoned": lambda table: _changed(UNFINISHED, table),
    "outcome": lambda table: Outcome(**table),
    "exchange_rate": _exchange_rate,
    "budget": _budgets,
}


def _changed(post: Post, table: Mapping[str, bool]) -> Post:
    return Post(**{**vars(post), **table})
