"""The routes under /_sandbox/, which are not part of the API: reset, log, faults, seeds, states, settings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any, Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from keito.sandbox import record_states
from keito.sandbox.errors import ApiError
from keito.sandbox.faults import Fault
from keito.sandbox.parsing import canonical, read_body
from keito.sandbox.seed_models import SeedRequest
from keito.sandbox.settings import Settings
from keito.sandbox.state import Sandbox

Route = Callable[[Request], Awaitable[Any]]


def add_routes(app: FastAPI, sandbox: Sandbox) -> None:
    """Add the control routes to the application."""
    control = _Control(sandbox)
    for method, path, route in (
        ("GET", "/health", control.health),
        ("POST", "/reset", control.reset),
        ("POST", "/seed", control.seed),
        ("GET", "/requests", control.requests),
        ("DELETE", "/requests", control.forget_requests),
        ("GET", "/faults", control.faults),
        ("POST", "/faults", control.add_fault),
        ("DELETE", "/faults", control.clear_faults),
        ("GET", "/settings", control.settings),
        ("POST", "/settings", control.change_settings),
        ("POST", "/{kind}/{id}/state", control.set_state),
    ):
        app.add_api_route(f"/_sandbox{path}", _answering(route), methods=[method], response_model=None)


def _answering(route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(await route(request))
        except ApiError as refusal:
            return JSONResponse(refusal.body, refusal.status)

    return answer


class _Control:
    """Each route gives the JSON of its answer."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def health(self, _request: Request) -> Any:
        return {"status": "ok"}

    async def reset(self, _request: Request) -> Any:
        await asyncio.wrap_future(self._sandbox.reset())
        return {"reset": True}

    async def seed(self, request: Request) -> Any:
        records = read_body(SeedRequest, canonical(await request.body())[0])
        await asyncio.wrap_future(self._sandbox.plant(records))
        return records.counts()

    async def requests(self, _request: Request) -> Any:
        return {"requests": self._sandbox.log.shown()}

    async def forget_requests(self, _request: Request) -> Any:
        self._sandbox.log.clear()
        return {"requests": []}

    async def faults(self, _request: Request) -> Any:
        return {"faults": self._sandbox.faults.pending()}

    async def add_fault(self, request: Request) -> Any:
        fault = read_body(Fault, canonical(await request.body())[0])
        return {"id": self._sandbox.faults.order(fault), **fault.model_dump()}

    async def clear_faults(self, _request: Request) -> Any:
        self._sandbox.faults.clear()
        return {"faults": []}

    async def settings(self, _request: Request) -> Any:
        return self._sandbox.settings.model_dump()

    async def change_settings(self, request: Request) -> Any:
        changes, _ = canonical(await request.body())
        read_body(Settings, changes)
        changed = {**self._sandbox.settings.model_dump(), **changes}
        self._sandbox.settings = Settings.model_validate(changed)
        return changed

    async def set_state(self, request: Request) -> Any:
        kind, id_ = request.path_params["kind"], request.path_params["id"]
        value, _ = canonical(await request.body())
        change = partial(record_states.change, kind=kind, id_=id_, value=value, now=self._sandbox.now())
        return await asyncio.wrap_future(self._sandbox.storage.write(change))
