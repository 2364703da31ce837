"""From the bytes of a request to its models, or to a 400 that names the field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from keito.sandbox.errors import ApiError, bad_request

M = TypeVar("M", bound=BaseModel)


def canonical(body: bytes) -> tuple[Any, bytes]:
    """The JSON value and its one spelling, in which equal requests are equal.

    Raises:
        ApiError: 400 for what is not JSON, or is JSON that no server can store: NaN, Infinity, half a
            surrogate pair, a name twice in an object.
    """
    if not body.strip():
        return {}, b""
    try:
        value = json.loads(body, object_pairs_hook=_unique, parse_constant=_refuse)
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
        return value, text.encode()
    except (ValueError, RecursionError):
        raise bad_request("The request body is not valid JSON") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def read_body(model: type[M], value: Any) -> M:
    """The request's body as its model."""
    if not isinstance(value, dict):
        raise bad_request("The request body must be a JSON object")
    return _validated(model, cast("dict[str, Any]", value))


def read_query(model: type[M], query: Mapping[str, str]) -> M:
    """The request's query string as its model."""
    return _validated(model, dict(query))


def _validated(model: type[M], value: dict[str, Any]) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise explain(error) from None


def explain(error: ValidationError) -> ApiError:
    """The first problem as a 400, in words that name the field."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in problem["loc"]) or "body"
    message = problem["msg"]
    if problem["type"] == "missing":
        return bad_request(f"{field} is required")
    if problem["type"] == "extra_forbidden":
        return bad_request(f"{field} is not a known field")
    for prefix in ("Input ", "Value error, "):
        if message.startswith(prefix):
            return bad_request(f"{field} {message[len(prefix) :]}")
    return bad_request(f"{field}: {message}")
