"""The outermost layer: it logs, waits, limits, and lets faults happen on the real connection."""

from __future__ import annotations

import logging
from typing import Optional

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keito.sandbox.choices import MAX_BODY_BYTES, MAX_CONTROL_BODY_BYTES
from keito.sandbox.connection import Connection
from keito.sandbox.errors import ApiError, error_body
from keito.sandbox.faults import Fault
from keito.sandbox.fields import utc_text
from keito.sandbox.holds import Hold
from keito.sandbox.reply import Reply
from keito.sandbox.request_log import Received
from keito.sandbox.state import Sandbox

CONTROL_PREFIX = "/_sandbox"

logger = logging.getLogger("keito.sandbox")


class Gateway:
    """ASGI around the application."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self._app = app
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or close its connection."""
        connection = Connection(scope, receive, send)
        is_control = scope["path"].startswith(CONTROL_PREFIX)
        try:
            body = await connection.read(MAX_CONTROL_BODY_BYTES if is_control else MAX_BODY_BYTES)
        except ApiError as refusal:
            await connection.send(Reply.json(refusal.status, refusal.body, {"connection": "close"}))
            return
        if body is None:
            return
        if is_control:
            await connection.send(await self._handle(scope, body))
        else:
            hold = self._sandbox.holds.begin()
            try:
                await self._exchange(scope, body, connection, hold)
            finally:
                self._sandbox.holds.end(hold)

    async def _exchange(self, scope: Scope, body: bytes, connection: Connection, hold: Hold) -> None:
        received = self._sandbox.log.add(self._received(scope, body))
        fault = self._sandbox.faults.take(scope["method"], scope["path"])
        received.fault = fault.action if fault else None
        if not await self._passes(fault, hold):
            await connection.drop()
            return
        reply = await self._reply(scope, body, fault)
        if fault and fault.action == "drop_after":
            await connection.drop()
            return
        received.status = reply.status
        await self._send(connection, reply, fault, hold)

    async def _passes(self, fault: Optional[Fault], hold: Hold) -> bool:
        """Wait as long as the request has to; False when it is not to be handled."""
        seconds = self._sandbox.settings.latency
        if fault and fault.action == "drop_before":
            return False
        if fault and fault.action == "delay":
            seconds += fault.seconds
        return seconds == 0 or await hold.wait(seconds)

    async def _reply(self, scope: Scope, body: bytes, fault: Optional[Fault]) -> Reply:
        if fault and fault.action == "status":
            return fault.reply()
        headers = dict(scope["headers"])
        limit, now = self._sandbox.settings.rate_limit, self._sandbox.now()
        refusal = self._sandbox.rate_limit.check(headers.get(b"authorization", b""), limit, now)
        if refusal:
            return Reply.json(refusal.status, refusal.body, refusal.headers)
        return await self._handle(scope, body)

    async def _send(self, connection: Connection, reply: Reply, fault: Optional[Fault], hold: Hold) -> None:
        if fault and fault.action == "truncate":
            await connection.truncate(reply)
        elif fault and fault.action == "drip":
            await connection.drip(reply, fault.seconds, hold)
        else:
            await connection.send(reply)

    async def _handle(self, scope: Scope, body: bytes) -> Reply:
        """What the application answers, collected, so that a fault can still happen to it."""
        collected = _Collected(body)
        try:
            await self._app(scope, collected.receive, collected.send)
        except Exception:  # the server must go on, and the client is owed an answer
            logger.exception("%s %s failed", scope["method"], scope["path"])
            return Reply.json(500, error_body(500))
        return collected.reply()

    def _received(self, scope: Scope, body: bytes) -> Received:
        return Received(
            timestamp=utc_text(self._sandbox.now()),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"],
            headers=list(scope["headers"]),
            body=body,
        )


class _Collected:
    """An ASGI conversation with the application, without a network."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._start: Message = {}
        self._parts: list[bytes] = []

    async def receive(self) -> Message:
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._parts.append(message.get("body", b""))

    def reply(self) -> Reply:
        return Reply(self._start["status"], list(self._start["headers"]), b"".join(self._parts))
