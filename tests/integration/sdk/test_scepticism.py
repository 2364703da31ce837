"""What a sceptic tried: leaks through broken HTTP, threads that outlive their list, the fate of a repeated POST."""

import contextlib
import gc
import pickle
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from keito import Keito, KeitoApiError, KeitoConnectionError, KeitoTimeoutError, KeitoValidationError

KEY = "kto_SECRET/SECRET+1=="


def prefetching() -> "list[threading.Thread]":
    return [thread for thread in threading.enumerate() if thread.name == "keito-prefetch"]


def until(condition: Any, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 2x0 Bearer " + KEY.encode() + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header " + KEY.encode() + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + KEY.encode() + b"\r\n\r\n",
        b'HTTP/1.1 400 Bad\r\nContent-Length: 52\r\n\r\n{"error":"bad", "message":"kto_SECRET\\/SECRET+1==" }',
        b'HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n{"hours":"kto_SECRET/SECRET+1=="}  ',
    ],
)
def test_a_server_that_repeats_the_key_in_any_way_does_not_make_it_public(
    connect: Any, server: Any, acts: Any, caplog: Any, answer: bytes
) -> None:
    caplog.set_level("DEBUG", logger="keito")
    client = connect(server.url, api_key=KEY, max_retries=0, timeout=2)
    server.acts(acts.say(answer))
    with pytest.raises((KeitoConnectionError, KeitoApiError)) as caught:
        client.users.me()
    seen = f"{caught.value!s}{caught.value!r}{caught.value.body!r}{caught.value.__context__!s}{caplog.text}"
    assert "SECRET" not in seen
    assert b"SECRET" not in pickle.dumps(caught.value)


def test_a_dropped_list_ends_its_threads_and_asks_for_nothing_more(keito_sandbox: Any, keito_client: Keito) -> None:
    keito_sandbox.seed(tasks=[{"id": f"t_{number}", "name": str(number)} for number in range(30)])
    tasks = keito_client.tasks.list(per_page=1, prefetch=4)
    next(tasks)
    until(lambda: len(keito_sandbox.requests()) == 5)
    keito_sandbox.faults.add("status", status=503, headers={"Retry-After": "30"}, path="/tasks", times=1)
    keito_sandbox.faults.add("delay", seconds=30, path="/tasks", times=0)
    next(tasks)
    next(tasks)
    until(lambda: len(keito_sandbox.requests()) == 7)
    assert prefetching()
    del tasks
    gc.collect()
    until(lambda: not prefetching())
    assert len(keito_sandbox.requests()) == 7


def test_a_half_read_list_goes_on_in_another_process(
    keito_sandbox: Any, keito_client: Keito, monkeypatch: pytest.MonkeyPatch
) -> None:
    keito_sandbox.seed(tasks=[{"id": f"t_{number}", "name": str(number)} for number in range(6)])
    tasks = keito_client.tasks.list(per_page=1, prefetch=3)
    names = [next(tasks).name]
    until(lambda: len(keito_sandbox.requests()) == 4)
    # What a forked child sees, without forking a process full of threads: pages that never arrive, and another pid.
    pager: Any = tasks
    pager._coming.update(dict.fromkeys(pager._coming, Future()))
    monkeypatch.setattr("keito.core.pager.os.getpid", lambda: -1)
    names += [task.name for task in tasks]
    assert len(set(names)) == len(names) == tasks.total_entries


@pytest.fixture
def listener() -> "Iterator[socket.socket]":
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


def serve(listener: socket.socket, act: Any) -> str:
    """Let `act` have the first connection; answers the server's URL."""
    threading.Thread(target=lambda: act(listener.accept()[0]), daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_sent_speaks_of_all_attempts(connect: Any, listener: Any, entry_fields: "dict[str, Any]") -> None:
    def read_and_go_away(connection: socket.socket) -> None:
        connection.recv(65536)
        listener.close()
        connection.close()

    client = connect(serve(listener, read_and_go_away), max_retries=1, timeout=2)
    with pytest.raises(KeitoConnectionError, match="no connection to") as caught:
        client.time_entries.create(**entry_fields, request_options={"idempotency_key": "k"})
    assert caught.value.sent


def test_looking_up_a_name_does_not_outlast_the_timeout(monkeypatch: Any) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(30) and [])
    with Keito(api_key="kto_x", account_id="a", timeout=0.3, max_retries=0) as client:
        started = time.monotonic()
        with pytest.raises(KeitoTimeoutError) as caught:
            client.users.me()
    released.set()
    assert time.monotonic() - started < 2
    assert not caught.value.sent


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "http://127.0.0.1:99999"])
def test_a_proxy_that_cannot_be_is_an_error_of_keito(monkeypatch: Any, connect: Any, proxy: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("KEITO_ALLOW_HTTP", "1")
    client = connect("http://keito.example", max_retries=0, timeout=2)
    with pytest.raises(KeitoConnectionError) as caught:
        client.users.me()
    assert not caught.value.sent


@pytest.mark.parametrize("header", ["Content-Length", "transfer-encoding"])
def test_callers_do_not_frame_the_body(keito_client: Keito, header: str) -> None:
    with pytest.raises(KeitoValidationError, match=header):
        keito_client.users.me(request_options={"additional_headers": {header: "5"}})


def test_own_metadata_does_not_price_an_outcome(keito_client: Keito) -> None:
    outcome = keito_client.outcomes.log(
        project_id="proj_support",
        task_id="task_tickets",
        spent_date="2026-03-05",
        outcome_type="x",
        metadata={"outcome_unit_price": 99, "outcome_note": "kept"},
    )
    assert outcome.metadata is not None
    assert "outcome_unit_price" not in outcome.metadata
    assert outcome.metadata["outcome_note"] == "kept"


@pytest.mark.parametrize("transport", ["sync"])
def test_a_large_body_does_not_outlast_the_timeout(connect: Any, listener: Any, entry_fields: "dict[str, Any]") -> None:
    over = threading.Event()

    def read_slowly(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while not over.wait(0.05) and connection.recv(20_000):
                pass

    client = connect(serve(listener, read_slowly), timeout=0.5, max_retries=0)
    started = time.monotonic()
    with pytest.raises(KeitoTimeoutError):
        client.time_entries.create(**{**entry_fields, "notes": "x" * 30_000_000})
    over.set()
    assert time.monotonic() - started < 3
