"""`python -m keito sandbox`: a Keito API on this machine."""

from __future__ import annotations

import argparse
import errno
import ipaddress
import signal
import sys
import threading
from types import FrameType
from typing import Any, Optional

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_DESCRIPTION = "Run a Keito API on this machine, until Ctrl-C. Exit status: 0, or 1 when it cannot start."


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    command = commands.add_parser("sandbox", help="run a Keito API on this machine", description=_DESCRIPTION)
    add = command.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=_port, default=8787, help="port to listen on, 0 for a free one (default: %(default)s)")
    add("--db", metavar="FILE", help="file that keeps the workspace (default: in memory)")
    add("--idempotency", choices=("on", "off"), default="on", help="whether Idempotency-Key is honoured")
    add("--rate-limit", type=_count, metavar="N", help="requests per minute and key (default: no limit)")
    add("--latency", type=_seconds, default=0.0, metavar="SECONDS", help="wait before each request is handled")
    add("--rounding", choices=("none", "up_15"), default="none", help="time rounding of the workspace")
    command.set_defaults(run=run)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("must be a port from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 3600")
    return seconds


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    stop = threading.Event()
    previous = {number: signal.signal(number, _setter(stop)) for number in SIGNALS}
    try:
        return _serve(arguments, stop)
    except (ImportError, OSError, RuntimeError) as error:
        print(f"keito sandbox: {_reason(error, arguments.port)}", file=sys.stderr)  # noqa: T201
        return 1
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _reason(error: Exception, port: int) -> str:
    if not isinstance(error, OSError):
        return str(error)
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use; choose another with --port, or --port 0 for a free one"
    return error.strerror or str(error)


def _is_for_this_machine_only(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _setter(stop: threading.Event) -> Any:
    def handle(_number: int, _frame: Optional[FrameType]) -> None:
        stop.set()

    return handle


def _serve(arguments: argparse.Namespace, stop: threading.Event) -> int:
    from keito.sandbox import SandboxServer  # noqa: PLC0415  # other commands must not need the extra

    server = SandboxServer(
        host=arguments.host,
        port=arguments.port,
        db=arguments.db,
        idempotency=arguments.idempotency == "on",
        rate_limit=arguments.rate_limit,
        latency=arguments.latency,
        rounding=arguments.rounding,
    )
    with server:
        if not _is_for_this_machine_only(arguments.host):
            warning = "other machines can reach this sandbox, and everybody knows its keys"
            print(f"keito sandbox: warning: {warning}", file=sys.stderr)  # noqa: T201
        print(f"Keito sandbox ready on {server.url}", flush=True)  # noqa: T201
        while not stop.wait(0.5):  # a wait without end would keep Windows from delivering Ctrl-C
            pass
    return 0
