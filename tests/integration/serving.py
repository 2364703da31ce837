"""A provider's stand-in on a port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional, Protocol, TypeVar


class Servable(Protocol):
    """Says what is answered.

    Attributes:
        url: Where it is, while it is served.
        gate: What answers wait for; it is opened at the end.
    """

    url: str
    gate: Optional[threading.Event]


_Stub = TypeVar("_Stub", bound=Servable)


@contextmanager
def serving(stub: _Stub, handler: type[BaseHTTPRequestHandler], root: str = "") -> Iterator[_Stub]:
    """Answer by `handler`, which finds the stub in its attribute `stub`, while the block lasts."""
    attributes: dict[str, Any] = {"stub": stub}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("StubHandler", (handler,), attributes))
    stub.url = f"http://127.0.0.1:{server.server_port}{root}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        if stub.gate is not None:
            stub.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()
