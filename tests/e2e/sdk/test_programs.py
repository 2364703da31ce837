"""The SDK in processes of its own: imports, logs, forks, and programs that end without closing anything."""

import re
import signal
import time
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import keito", ["httpx", "pydantic", "asyncio", "anyio", "ssl", "json"]),
        ("import keito; keito.__version__; dir(keito)", ["httpx", "pydantic"]),
        ("from keito import AgentMetadata, OutcomeTypes", ["httpx", "asyncio"]),
        ("from keito import Keito", ["asyncio", "aiohttp", "fastapi", "uvicorn", "keito.sandbox", "keito.billing"]),
        ("from keito.types import TimeEntry", ["httpx", "asyncio"]),
    ],
)
def test_an_import_loads_no_more_than_it_needs(run: Any, statement: str, absent: "list[str]") -> None:
    done = run(f"import sys\n{statement}\nprint(*(name for name in {absent!r} if name in sys.modules))")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_an_unknown_name(run: Any) -> None:
    done = run("import keito\nkeito.Kieto")
    assert "module 'keito' has no attribute 'Kieto'" in done.stderr
    assert "cannot import name 'Kieto'" in run("from keito import Kieto").stderr


@pytest.mark.parametrize("level", ["info", "debug", "INFO"])
def test_keito_log(run: Any, keito_sandbox: Any, level: str) -> None:
    keito_sandbox.faults.add("status", status=503, headers={"Retry-After": "0"})
    done = run(
        """
        from keito import Keito
        for client in (Keito(), Keito()):
            client.users.me()
            list(client.time_entries.list(project_id="proj_support"))
        """,
        KEITO_LOG=level,
    )
    assert (done.returncode, done.stdout) == (0, "")
    lines = [line for line in done.stderr.splitlines() if "next attempt" not in line]
    pattern = re.compile(r"^\S+ \S+ keito INFO GET (\S+): (503|200) in \d+ ms \(attempt [12]\)$")
    assert [bool(pattern.match(line)) for line in lines] == [True] * 5, done.stderr
    assert "/api/v2/time_entries?project_id=proj_support&page=1&per_page=100" in done.stderr
    assert ("next attempt" in done.stderr) == (level == "debug")
    assert keito_sandbox.api_key not in done.stderr


def test_keito_log_does_not_say_all_twice(run: Any) -> None:
    done = run(
        """
        import logging
        logging.basicConfig(level="INFO", format="mine %(message)s")
        from keito import Keito
        Keito().users.me()
        """,
        KEITO_LOG="info",
    )
    lines = [line for line in done.stderr.splitlines() if "users/me" in line]
    assert len(lines) == 1
    assert lines[0].startswith("mine GET /api/v2/users/me: 200")


def test_no_log_unless_asked(run: Any) -> None:
    program = "from keito import Keito\nKeito().users.me()"
    assert run(program).stderr == run(program, KEITO_LOG="").stderr == ""
    assert "KEITO_LOG=verbose" in run(program, KEITO_LOG="verbose").stderr


FORK = """
import os, sys
from keito import Keito

client = Keito(timeout=10)
client.users.me()
before = client._driver._idle[0]
child = os.fork()
if child == 0:
    try:
        names = {client.users.me().id for _ in range(20)}
        client.time_entries.create(
            project_id="proj_support", task_id="task_tickets", spent_date="2026-03-05", hours=1, notes="child")
        ok = names == {"usr_agent"} and client._driver._idle[0] is not before
    finally:
        sys.stdout.flush()
        os._exit(0 if ok else 1)
for _ in range(20):
    assert client.users.me().id == "usr_agent"
client.time_entries.create(
    project_id="proj_support", task_id="task_tickets", spent_date="2026-03-05", hours=1, notes="parent")
assert client._driver._idle[0] is before, "the parent goes on with its connection"
_, status = os.waitpid(child, 0)
assert status == 0, status
assert client.users.me().id == "usr_agent"
print(sorted(entry.notes for entry in client.time_entries.list()))
"""


def test_a_fork(run: Any) -> None:
    done = run(FORK)
    assert (done.returncode, done.stdout.strip()) == (0, "['child', 'parent']"), done.stderr


def test_a_fork_that_ends_at_once_leaves_the_parents_connection_alone(run: Any) -> None:
    done = run(
        """
        import os
        from keito import Keito

        client = Keito()
        client.users.me()
        connection = client._driver._idle[0]
        for end in (lambda: os._exit(0), client.close):
            child = os.fork()
            if child == 0:
                end()
                os._exit(0)
            os.waitpid(child, 0)
            client.users.me()
            assert client._driver._idle[0] is connection
        print("fine")
        """
    )
    assert done.stdout.strip() == "fine", done.stderr


def test_an_async_client_after_a_fork(run: Any) -> None:
    done = run(
        """
        import asyncio, os
        from keito import AsyncKeito

        client = AsyncKeito()
        ask = lambda: asyncio.run(ask_())

        async def ask_():
            return (await client.users.me()).id

        assert ask() == "usr_agent"
        child = os.fork()
        if child == 0:
            os._exit(0 if ask() == "usr_agent" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert ask() == "usr_agent"
        print("fine")
        """
    )
    assert (done.stdout.strip(), done.stderr) == ("fine", "")


def test_programs_that_close_nothing_end_quietly(run: Any) -> None:
    blocking = """
        from keito import Keito
        client = Keito()
        listing = client.tasks.list(per_page=1, prefetch=4)
        print(next(listing).id)
        """
    awaiting = """
        import asyncio
        from keito import AsyncKeito
        client = AsyncKeito()
        async def main():
            async for task in client.tasks.list(per_page=1, prefetch=4):
                print(task.id)
        asyncio.run(main())
        """
    for program in (blocking, awaiting):
        done = run(program)
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "task_tickets", "")


def test_an_interrupted_call_leaves_the_client_usable(start: Any, keito_sandbox: Any) -> None:
    keito_sandbox.faults.add("delay", path="clients", seconds=30)
    program = start(
        """
        import signal
        from keito import Keito

        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
        client = Keito()
        try:
            list(client.clients.list())
        except KeyboardInterrupt:
            print("interrupted", client.users.me().id)
        """
    )
    deadline = time.monotonic() + 30
    while not keito_sandbox.requests("GET", "/api/v2/clients"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    program.send_signal(signal.SIGINT)
    out, errors = program.communicate(timeout=30)
    assert out.strip() == "interrupted usr_agent", errors


def test_without_the_extra(run: Any) -> None:
    done = run(
        """
        import sys
        sys.modules["httpx_aiohttp"] = None
        import asyncio
        from keito import AsyncKeito

        async def main():
            async with AsyncKeito() as client:
                print((await client.users.me()).id)

        asyncio.run(main())
        """
    )
    assert (done.stdout.strip(), done.stderr) == ("usr_agent", "")
