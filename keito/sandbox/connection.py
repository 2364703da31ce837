"""One request on a real connection, which can also be broken on purpose."""

from __future__ import annotations

import asyncio
from typing import Any, Optional

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from keito.sandbox.errors import ApiError
from keito.sandbox.holds import Hold
from keito.sandbox.reply import Reply

_TRANSPORT = "keito_sandbox_transport"


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, which lets the application reach the socket: ASGI has no word for closing it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the transport into the state that each request of the connection carries."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


class Connection:
    """The receiving and sending end of a request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._transport: asyncio.Transport = scope["state"][_TRANSPORT]
        self._method: str = scope["method"]
        self._receive = receive
        self._send = send

    async def read(self, limit: int) -> Optional[bytes]:
        """The request's body; None when the client left.

        Raises:
            ApiError: 413 when it is longer than `limit`.
        """
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > limit:
                raise ApiError(413)
            if not message.get("more_body", False):
                return bytes(body)

    async def send(self, reply: Reply) -> None:
        """Answer."""
        await self._send(reply.start)
        await self._part(reply.body, more=False)

    async def drop(self) -> None:
        """Close the connection without an answer."""
        self._transport.close()
        # uvicorn takes a request that ends unanswered for a crash, unless it knows that the connection is gone.
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def truncate(self, reply: Reply) -> None:
        """Promise the whole body, send half of it and close the connection."""
        if not reply.body:
            await self.drop()
            return
        await self._send(reply.start)
        await self._part(reply.body[: len(reply.body) // 2], more=True)
        await self.drop()

    async def drip(self, reply: Reply, seconds: float, hold: Hold) -> None:
        """Send the headers at once and the body byte by byte."""
        await self._send(reply.start)
        for position in range(len(reply.body)):
            await self._part(reply.body[position : position + 1], more=True)
            if self._transport.is_closing() or not await hold.wait(seconds):
                await self.drop()
                return
        await self._part(b"", more=False)

    async def _part(self, body: bytes, *, more: bool) -> None:
        message: dict[str, Any] = {"type": "http.response.body", "body": body, "more_body": more}
        await self._send(message)
