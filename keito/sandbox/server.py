"""A sandbox that listens on a socket, run from the command line or inside a test."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Optional, Union

import uvicorn

from keito.sandbox import seed
from keito.sandbox.app import create_app
from keito.sandbox.connection import Protocol
from keito.sandbox.faults import Faults
from keito.sandbox.parsing import read_body
from keito.sandbox.record_states import change
from keito.sandbox.seed_models import SeedRequest
from keito.sandbox.settings import Rounding, Settings
from keito.sandbox.state import Now, Sandbox, utc_now

STOP_GRACE_SECONDS = 0.5
START_SECONDS = 30.0
KEEP_ALIVE_SECONDS = 75


class SandboxServer:
    """A local Keito API v2 in a thread of this process.

    Use it as a context manager, or call `start` and `stop`. Everything is empty but for the demo workspace.

    Args:
        host: the address to listen on.
        port: the port; 0 takes a free one.
        db: the file that keeps the workspace; None keeps it in memory.
        idempotency: whether `Idempotency-Key` is honoured.
        rate_limit: requests per minute and key, or None for no limit.
        latency: seconds that each request waits before it is handled.
        rounding: the workspace's time rounding, `none` or `up_15`.
        now: the clock.

    Attributes:
        url: where it answers on this machine, known once it was started.
        faults: the faults to come; see `Faults.add`.
    """

    api_key = seed.API_KEY
    member_key = seed.MEMBER_KEY
    manager_key = seed.MANAGER_KEY
    sync_key = seed.SYNC_KEY
    account_id = seed.ACCOUNT_ID
    client_id = seed.CLIENT_ID
    project_id = seed.PROJECT_ID
    task_id = seed.TASK_ID
    expense_category_id = seed.EXPENSE_CATEGORY_ID
    user_id = seed.USER_ID

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        db: Union[str, Path, None] = None,
        idempotency: bool = True,
        rate_limit: Optional[int] = None,
        latency: float = 0.0,
        rounding: Rounding = "none",
        now: Now = utc_now,
    ) -> None:
        self._address = (host, port)
        self._settings = Settings(idempotency=idempotency, rate_limit=rate_limit, latency=latency, rounding=rounding)
        self._path = Path(db) if db is not None else None
        self._now = now
        self._sandbox: Optional[Sandbox] = None
        self._server: Optional[_Server] = None
        self._thread: Optional[threading.Thread] = None
        self.url = ""

    @property
    def faults(self) -> Faults:
        """The faults to come."""
        return self._running.faults

    @property
    def _running(self) -> Sandbox:
        if self._sandbox is None:
            raise RuntimeError("the sandbox is not running: call start() or use it in a with statement")
        return self._sandbox

    def start(self) -> SandboxServer:
        """Listen, and return when requests are answered.

        Raises:
            OSError: when the address cannot be had.
            ValueError: when the port is no port.
        """
        if self._sandbox is not None:
            raise RuntimeError("the sandbox is running already")
        listener = _listen(*self._address)
        try:
            self._sandbox = Sandbox(self._path, self._settings, self._now)
        except BaseException:
            listener.close()
            raise
        self.url = _url(*listener.getsockname()[:2])
        self._server = _Server(self._sandbox)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="keito-sandbox", daemon=True)
        self._thread.start()
        if not self._server.ready.wait(START_SECONDS):
            raise RuntimeError("the sandbox did not start")
        return self

    def stop(self) -> None:
        """Close the connections, also those in the middle of an answer, and the database."""
        if self._sandbox is None or self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._sandbox.storage.close()
        self._sandbox = self._server = self._thread = None

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(
        self,
        error_type: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.stop()

    def reset(self) -> None:
        """Return to the demo workspace: no faults, no log, the first settings, and no request still waiting."""
        self._running.reset().result()

    def seed(self, **records: Any) -> None:
        """Put records with given ids into the workspace, such as `projects=[{"id": "proj_123"}]`."""
        self._running.plant(read_body(SeedRequest, records)).result()

    def configure(self, **settings: Any) -> None:
        """Change settings while it runs: idempotency, rate_limit, latency, rounding."""
        changed = {**self._running.settings.model_dump(), **settings}
        self._running.settings = Settings.model_validate(changed)

    def set_state(self, kind: str, id: str, **state: Any) -> None:
        """Do what only the web app can.

        Args:
            kind: `time_entries` or `expenses` with locked=, approved=, billed=; `invoices` with state=.
            id: the record's id.
            state: what it becomes.
        """
        now = self._now()
        self._running.storage.write(lambda db: change(db, kind, id, state, now)).result()

    def requests(self, method: Optional[str] = None, path: Optional[str] = None) -> list[dict[str, Any]]:
        """The requests that arrived, oldest first; those with that method and exact path, where given."""
        return [
            request
            for request in self._running.log.shown()
            if method in (None, request["method"]) and path in (None, request["path"])
        ]


def _url(host: str, port: int) -> str:
    """Where it can be reached from here: the address of all networks is none that one can connect to."""
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ValueError(f"port must be 0 to 65535; got {port}")
    # Named as TCP, because asyncio turns off Nagle's algorithm on such sockets only: else each answer takes 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror}") from error
    except BaseException:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """uvicorn, which says when it answers and does not wait for clients when it stops."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._holds = sandbox.holds
        self.ready = threading.Event()
        config = uvicorn.Config(
            create_app(sandbox),
            http=Protocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        super().__init__(config)

    async def startup(self, sockets: Optional[list[socket.socket]] = None) -> None:
        """Begin to answer."""
        await super().startup(sockets=sockets)
        self.ready.set()

    async def shutdown(self, sockets: Optional[list[socket.socket]] = None) -> None:
        """Let requests finish for a moment, then cut what is left."""
        self._holds.close()
        cut = asyncio.get_running_loop().call_later(STOP_GRACE_SECONDS, self._cut)
        await super().shutdown(sockets=sockets)
        cut.cancel()

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, Protocol):
                connection.transport.abort()
