"""The HTTP application: a route per endpoint, and the answers of those that are none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import partial
from sqlite3 import Connection
from typing import Any, Callable

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp

from keito.sandbox import control, idempotency
from keito.sandbox.context import Context, authenticate
from keito.sandbox.endpoints import ENDPOINTS, Endpoint
from keito.sandbox.errors import ApiError, bad_request, error_body
from keito.sandbox.faults import API_PREFIX
from keito.sandbox.gateway import Gateway
from keito.sandbox.idempotency import Answer
from keito.sandbox.openapi import document
from keito.sandbox.parsing import canonical, read_body, read_query
from keito.sandbox.state import Sandbox

NO_PAGE = "<!DOCTYPE html><html><head><title>404: not found</title></head><body><h1>404</h1></body></html>"


def create_app(sandbox: Sandbox) -> ASGIApp:
    """The sandbox as an ASGI application."""
    app = FastAPI(openapi_url=f"{API_PREFIX}/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.openapi = document  # type: ignore[method-assign]
    for endpoint in ENDPOINTS:
        route, methods = _route(sandbox, endpoint), [endpoint.method]
        app.add_api_route(API_PREFIX + endpoint.path, route, methods=methods, name=endpoint.name, response_model=None)
    app.add_api_route("/api/health", _health, methods=["GET"])
    control.add_routes(app, sandbox)
    app.add_exception_handler(HTTPException, _no_route)
    return Gateway(app, sandbox)


async def _health() -> dict[str, str]:
    return {"status": "ok"}


async def _no_route(request: Request, error: Exception) -> Response:
    """An unknown path is a web page, as on the real server; an unknown method of a known path is JSON."""
    if not isinstance(error, HTTPException) or error.status_code == 404:
        return HTMLResponse(NO_PAGE, 404)
    matches = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    allowed = sorted({method for route in matches for method in route.methods})
    return JSONResponse(error_body(error.status_code), error.status_code, {"Allow": ", ".join(allowed)})


@dataclass(frozen=True)
class _Call:
    """A request, as a thread of the storage needs it."""

    headers: Mapping[str, str]
    path: str
    ids: Mapping[str, Any]
    query: Mapping[str, str]
    body: bytes


def _route(sandbox: Sandbox, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def route(request: Request) -> Response:
        path, ids = request.url.path, request.path_params
        call = _Call(request.headers, path, ids, request.query_params, await request.body())
        job = partial(_answer, sandbox, endpoint, call)
        run = sandbox.storage.write if endpoint.is_write else sandbox.storage.read
        try:
            answer = await asyncio.wrap_future(run(job))
        except ApiError as refusal:
            return JSONResponse(refusal.body, refusal.status, refusal.headers)
        headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
        return Response(answer.body, answer.status, headers, "application/json" if answer.body else None)

    return route


def _answer(sandbox: Sandbox, endpoint: Endpoint, call: _Call, db: Connection) -> Answer:
    """Authenticate, recall or do, and keep: all of it in one transaction."""
    caller = authenticate(db, call.headers)
    context = Context(db, caller, sandbox.now(), sandbox.settings)
    if not endpoint.is_write:
        return _done(endpoint, endpoint.rule(context, **_arguments(endpoint, call, None)))
    value, text = canonical(call.body) if endpoint.body else (None, call.body)
    key = None
    if sandbox.settings.idempotency:
        key = idempotency.key_of(call.headers, caller.no, endpoint.method, call.path, text)
    known = idempotency.recall(db, key) if key else None
    if known:
        return known
    answer = _done(endpoint, endpoint.rule(context, **_arguments(endpoint, call, value)))
    if key:
        idempotency.keep(db, key, answer)
    return answer


def _arguments(endpoint: Endpoint, call: _Call, value: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if "id" in call.ids:
        arguments["id_"] = call.ids["id"]
    if endpoint.query:
        arguments["query"] = read_query(endpoint.query, call.query)
    if endpoint.body:
        if endpoint.body_required and not call.body.strip():
            raise bad_request("A request body is required")
        arguments["body"] = read_body(endpoint.body, value)
    return arguments


def _done(endpoint: Endpoint, result: Any) -> Answer:
    body = b"" if endpoint.answer is None else json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(endpoint.status, body)
