"""The OpenAPI document of the sandbox, made from the table of endpoints."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Optional, cast

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from keito.sandbox.answers import Error
from keito.sandbox.endpoints import ENDPOINTS, Endpoint
from keito.sandbox.faults import API_PREFIX

Json = dict[str, Any]

REASONS = {
    400: "The request is not valid",
    401: "The API key is missing or unknown",
    403: "The caller may not do it, or the record is read-only",
    404: "There is no such record in this account",
    409: "The state of the record does not allow it",
    413: "The request body is too large",
    429: "Too many requests",
}


@lru_cache(maxsize=1)
def document() -> Json:
    """The OpenAPI 3.1 document."""
    paths: dict[str, Json] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(API_PREFIX + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Keito sandbox", "version": "2", "description": "A local Keito API v2."},
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": _security()},
        "security": [{"key": [], "account": []}],
    }


def _security() -> Json:
    return {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, kto_..."},
        "account": {"type": "apiKey", "in": "header", "name": "Keito-Account-Id"},
    }


def _schemas() -> Json:
    models = {model for each in ENDPOINTS for model in (each.answer, each.body, Error) if model}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, document = models_json_schema(
        [(model, "validation") for model in ordered], ref_template="#/components/schemas/{model}"
    )
    schemas: Json = _without_null_defaults(document["$defs"])
    return schemas


def _without_null_defaults(value: Any) -> Any:
    """None stands for "not sent" in the models: it is no default that a client could send."""
    if isinstance(value, dict):
        items = cast("Json", value).items()
        return {name: _without_null_defaults(item) for name, item in items if (name, item) != ("default", None)}
    if isinstance(value, list):
        return [_without_null_defaults(item) for item in cast("Any", value)]
    return value


def _operation(endpoint: Endpoint) -> Json:
    operation: Json = {
        "operationId": endpoint.name,
        "summary": (endpoint.rule.__doc__ or "").partition("\n")[0],
        "tags": [endpoint.path.split("/")[1]],
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint.query)],
        "responses": {str(endpoint.status): _success(endpoint), **_refusals(endpoint)},
    }
    if endpoint.body:
        operation["requestBody"] = {"required": endpoint.body_required, **_content(endpoint.body)}
    return operation


def _path_parameters(endpoint: Endpoint) -> list[Json]:
    if "{id}" not in endpoint.path:
        return []
    return [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]


def _query_parameters(model: Optional[type[BaseModel]]) -> list[Json]:
    if model is None:
        return []
    schema = _without_null_defaults(model.model_json_schema())
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema["properties"].items()
    ]


def _success(endpoint: Endpoint) -> Json:
    if endpoint.answer is None:
        return {"description": "Done", "headers": _VERSION}
    return {"description": "Done", "headers": _VERSION, **_content(endpoint.answer)}


def _refusals(endpoint: Endpoint) -> Json:
    statuses = [400, 401, 403, 429]
    if "{id}" in endpoint.path or endpoint.body:
        statuses.append(404)
    if endpoint.is_write:
        statuses += [409, 413]
    error = {"headers": _VERSION, **_content(Error)}
    return {str(status): {"description": REASONS[status], **error} for status in sorted(statuses)}


def _content(model: type[BaseModel]) -> Json:
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"content": {"application/json": {"schema": reference}}}


_VERSION = {"X-Keito-API-Version": {"required": True, "schema": {"const": "2"}}}
