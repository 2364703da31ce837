"""What a network and a server can do wrong, over a real socket: only keito's errors reach the caller, and in time."""

import copy
import gzip
import pickle
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from keito import (
    KeitoApiError,
    KeitoConnectionError,
    KeitoError,
    KeitoNotFoundError,
    KeitoServerError,
    KeitoTimeoutError,
    KeitoValidationError,
)

KEY = "kto_secret_of_this_test"
USER = b'{"id": "u_1"}'


@pytest.fixture(params=["sync", "async", "aiohttp", "sync-own", "async-own"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def wild(connect: Any, server: Any) -> Any:
    """A client of the misbehaving server that never repeats a call."""
    return connect(server.url, api_key=KEY, max_retries=0, timeout=5.0)


def hears(status: int, body: bytes, headers: bytes = b"", length: Any = None) -> Any:
    return lambda acts: acts.answer(body, status, headers, length)


# A success whose body is not what the endpoint promises.
NOT_AS_PROMISED = {
    "HTML": hears(200, b"<!doctype html><html>Sign in</html>", b"Content-Type: text/html\r\n"),
    "nothing": hears(200, b""),
    "204": hears(204, b""),
    "array": hears(200, b"[1, 2]"),
    "string": hears(200, b'"fine"'),
    "null": hears(200, b"null"),
    "no id": hears(200, b"{}"),
    "id of another type": hears(200, b'{"id": {"a": 1}}'),
    "not UTF-8": hears(200, b'{"id": "\xff\xfe"}'),
    "half of a JSON": hears(200, USER[:-3]),
    "too deep": hears(200, b'{"id": "u", "x": ' + b"[" * 100_000),
    "an unknown compression": hears(200, b"\x0b\x05\x80garbage", b"Content-Encoding: br\r\n"),
    "a date that is none": hears(200, b'{"id": "u", "created_at": "yesterday"}'),
}


@pytest.mark.parametrize("name", NOT_AS_PROMISED)
def test_a_success_that_is_none(wild: Any, server: Any, acts: Any, name: str) -> None:
    server.acts(NOT_AS_PROMISED[name](acts))
    with pytest.raises(KeitoApiError, match=r"GET /api/v2/users/me: the answer is not what this endpoint") as caught:
        wild.users.me()
    assert caught.value.status_code in (200, 204)
    assert caught.value.raw_response is not None
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", NOT_AS_PROMISED)
def test_a_list_that_is_none(wild: Any, server: Any, acts: Any, name: str) -> None:
    server.acts(NOT_AS_PROMISED[name](acts))
    with pytest.raises(KeitoApiError, match="GET /api/v2/time_entries"):
        next(wild.time_entries.list())


@pytest.mark.parametrize("name", ["HTML", "nothing", "204", "array", "too deep", "not UTF-8"])
def test_a_deleted_invoice_without_a_dict(wild: Any, server: Any, acts: Any, name: str) -> None:
    server.acts(NOT_AS_PROMISED[name](acts))
    with pytest.raises(KeitoApiError, match="DELETE /api/v2/invoices/i"):
        wild.invoices.delete("i")


@pytest.mark.parametrize(
    ("body", "kept", "text"),
    [
        (b'{"error": "bad request", "error_description": "no hours"}', dict, "400 bad request: no hours"),
        (b'{"error": "rate limited", "message": "Too many"}', dict, "400 rate limited: Too many"),
        (b'{"error": "bad request"}', dict, "400 bad request"),
        (b'{"error": {"code": "invalid", "message": "no hours"}}', dict, "400 invalid: no hours"),
        (b'{"error": ["a"], "error_description": {"b": 1}, "message": 5}', dict, "400"),
        (b'{"error": 5}', dict, "400"),
        (b'["a", "b"]', list, "400"),
        (b'"text"', str, "400"),
        (b"5", int, "400"),
        (b"null", type(None), "400"),
        (b"", type(None), "400"),
        (b"<html>Bad Gateway</html>", str, "400"),
        (b"\xff\xfe\x00", str, "400"),
        (b"[" * 100_000, str, "400"),
        (b"1" * 10_000, (str, int), "400"),
    ],
    ids=str,
)
def test_an_error_body_of_any_shape(
    wild: Any, server: Any, acts: Any, body: bytes, kept: Any, text: str, entry_fields: "dict[str, Any]"
) -> None:
    server.acts(acts.answer(body, 400, b"X-Request-Id: req_7\r\n"))
    with pytest.raises(KeitoValidationError) as caught:
        wild.time_entries.create(**entry_fields)
    assert isinstance(caught.value.body, kept)
    assert str(caught.value).startswith(f"POST /api/v2/time_entries: {text}")
    assert str(caught.value).endswith("(request id req_7)")
    assert caught.value.request_id == "req_7"


BROKEN = {
    "nothing at all": lambda acts: acts.say(b""),
    "reset": lambda acts: acts.reset,
    "another protocol": lambda acts: acts.say(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "binary": lambda acts: acts.say(bytes(range(256)) * 4),
    "a truncated body": lambda acts: acts.answer(USER, length=len(USER) + 100),
    "truncated headers": lambda acts: acts.say(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "a wrong length": lambda acts: acts.say(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"),
    "a broken chunk": lambda acts: acts.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    "half of the chunks": lambda acts: acts.say(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"'),
    "no gzip": lambda acts: acts.answer(USER, headers=b"Content-Encoding: gzip\r\n"),
    "huge headers": lambda acts: acts.answer(USER, headers=b"X-Filler: " + b"x" * 1_000_000 + b"\r\n"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_connection(
    wild: Any, server: Any, acts: Any, name: str, entry_fields: "dict[str, Any]", caplog: pytest.LogCaptureFixture
) -> None:
    server.acts(BROKEN[name](acts))
    with pytest.raises(KeitoConnectionError, match="POST /api/v2/time_entries") as caught:
        wild.time_entries.create(**entry_fields)
    assert caught.value.sent
    assert caught.value.status_code is None
    assert len(server.requests) == 1
    assert KEY not in caplog.text


# Once for each client: what happens in between must not depend on how the connection breaks.
@pytest.mark.parametrize("name", ["nothing at all", "reset", "a truncated body", "another protocol", "no gzip"])
def test_a_post_is_sent_once_and_a_get_again(
    connect: Any, server: Any, acts: Any, name: str, entry_fields: "dict[str, Any]", waits: "list[float]"
) -> None:
    client = connect(server.url, max_retries=2)
    server.acts(BROKEN[name](acts))
    for write in (
        lambda: client.time_entries.create(**entry_fields),
        lambda: client.time_entries.restart("te_1"),
    ):
        server.requests.clear()
        with pytest.raises(KeitoConnectionError):
            write()
        assert len(server.requests) == 1
    for repeatable in (
        client.users.me,
        lambda: client.time_entries.update("te_1", notes="n"),
        lambda: client.time_entries.delete("te_1"),
        lambda: client.time_entries.create(**entry_fields, request_options={"idempotency_key": "k"}),
    ):
        server.requests.clear()
        with pytest.raises(KeitoConnectionError):
            repeatable()
        assert len(server.requests) == 3
        assert len(set(server.requests)) == 1, "each attempt is the same request, key included"


def test_a_compressed_answer_is_read(wild: Any, server: Any, acts: Any) -> None:
    server.acts(acts.answer(gzip.compress(USER), headers=b"Content-Encoding: gzip\r\n"))
    assert wild.users.me().id == "u_1"


def test_a_chunked_answer_is_read(wild: Any, server: Any, acts: Any) -> None:
    server.acts(acts.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (13, USER)))
    assert wild.users.me().id == "u_1"


def test_headers_that_are_not_ascii(wild: Any, server: Any, acts: Any) -> None:
    headers = b"X-Latin: caf\xe9\r\nX-Utf8: \xc3\xa9\r\n"
    server.acts(acts.answer(USER, headers=headers), acts.answer(b"{}", 404, headers))
    assert wild.users.with_raw_response.me().data.id == "u_1"
    with pytest.raises(KeitoNotFoundError) as caught:
        wild.users.me()
    assert "x-latin" in caught.value.headers


def test_a_redirect_is_not_followed(wild: Any, server: Any, acts: Any) -> None:
    server.acts(acts.answer(b"", 302, b"Location: https://elsewhere.example/?" + KEY.encode() + b"\r\n"))
    with pytest.raises(KeitoApiError, match=r"elsewhere\.example") as caught:
        wild.users.me()
    assert caught.value.status_code == 302
    assert KEY not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "headers"),
    [(401, b""), (500, b""), (429, b"Retry-After: 7\r\n"), (200, b"")],
    ids=str,
)
def test_an_echoed_key_is_shown_nowhere(
    wild: Any, server: Any, acts: Any, status: int, headers: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="keito")
    key = KEY.encode()
    body = b'{"error": "%b", "error_description": "Bearer %b is unknown", "%b": ["%b"]}' % ((key,) * 4)
    server.acts(acts.answer(body, status, headers + b"X-Request-Id: %b\r\nX-Echo: Bearer %b\r\n" % (key, key)))
    with pytest.raises(KeitoApiError) as caught:
        wild.users.me(request_options={"additional_headers": {"X-Mine": f"<{KEY}>"}})
    error = caught.value
    for shown in (error, copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(shown) is type(error)
        texts = [str(shown), repr(shown), repr(shown.body), repr(shown.headers), repr(vars(shown)), shown.request_id]
        texts += [repr(shown.raw_response.headers), shown.raw_response.text, repr(shown.raw_response.request.headers)]
        texts.append(pickle.dumps(shown).decode("latin-1"))
        assert not [text for text in texts if KEY in text]
        assert (shown.status_code, shown.retry_after) == (error.status_code, error.retry_after)
        assert shown.raw_response.status_code == status
    assert "GET /api/v2/users/me" in caplog.text
    assert KEY not in caplog.text
    assert KEY not in repr(wild)


def test_another_authorization_of_the_caller_is_shown_nowhere(wild: Any, server: Any, acts: Any) -> None:
    server.acts(acts.answer(b"{}", 401))
    with pytest.raises(KeitoApiError) as caught:
        wild.users.me(request_options={"additional_headers": {"authorization": "Bearer other_secret"}})
    assert b"other_secret" in server.requests[0]
    assert b"other_secret" not in pickle.dumps(caught.value)
    assert "other_secret" not in repr(caught.value.raw_response.request.headers.raw)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n"
SLOW = {
    "silence": lambda acts: acts.silence,
    "body": lambda acts: acts.drip(HEAD + b"\r\n", b" " * 1000),
    "headers": lambda acts: acts.drip(b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"x" * 1000),
    "status line": lambda acts: acts.drip(b"", b"HTTP/1.1 200 " + b"O" * 1000),
    "chunks": lambda acts: acts.drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 200),
    "compressed body": lambda acts: acts.drip(
        HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(bytes(1_000_000)) + b"x" * 1000
    ),
    "stalled body": lambda acts: (
        lambda server, connection: (
            connection.sendall(HEAD + b"\r\n{"),
            acts.silence(server, connection),
        )
    ),
}


@pytest.mark.parametrize("name", SLOW)
def test_the_timeout_bounds_the_whole_attempt(
    connect: Any, transport: str, server: Any, acts: Any, name: str, entry_fields: "dict[str, Any]"
) -> None:
    client = connect(server.url, timeout=0.3, max_retries=2)
    server.acts(SLOW[name](acts))
    started = time.monotonic()
    with pytest.raises(KeitoTimeoutError, match="POST /api/v2/time_entries: no answer in time") as caught:
        client.time_entries.create(**entry_fields)
    assert 0.25 <= time.monotonic() - started < 0.8
    assert caught.value.sent
    assert len(server.requests) == 1


def test_the_timeout_of_one_call(connect: Any, server: Any, acts: Any, waits: "list[float]") -> None:
    client = connect(server.url, timeout=30, max_retries=5)
    server.acts(acts.silence)
    started = time.monotonic()
    with pytest.raises(KeitoTimeoutError):
        client.users.me(request_options={"timeout": 0.15, "max_retries": 1})
    assert time.monotonic() - started < 1.0
    assert (len(server.requests), len(waits)) == (2, 1)


def test_no_timeout_at_all(connect: Any, server: Any, acts: Any) -> None:
    client = connect(server.url, timeout=None)
    server.acts(acts.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n", USER, 0.005))
    assert client.users.me().id == "u_1"
    assert client.users.me(request_options={"timeout": None}).id == "u_1"


def test_a_client_goes_on_after_a_timeout(connect: Any, server: Any, acts: Any) -> None:
    client = connect(server.url, timeout=0.2, max_retries=0)
    server.acts(acts.silence, acts.answer(USER))
    with pytest.raises(KeitoTimeoutError):
        client.users.me()
    assert client.users.me().id == "u_1"


def test_a_connection_that_was_refused_is_tried_again_for_posts_too(
    connect: Any, refusing: str, waits: "list[float]", entry_fields: "dict[str, Any]"
) -> None:
    client = connect(refusing)
    with pytest.raises(KeitoConnectionError, match=r"no connection to 127\.0\.0\.1") as caught:
        client.time_entries.create(**entry_fields)
    assert not caught.value.sent
    assert len(waits) == 2


@pytest.fixture
def full() -> "Iterator[str]":
    """The URL of a port that takes no more connections: attempts to connect to it hang."""
    queued: list[socket.socket] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
            queued.append(one)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for one in queued:
            one.close()


def test_a_connection_that_hangs_was_never_made(
    connect: Any, full: str, waits: "list[float]", entry_fields: "dict[str, Any]"
) -> None:
    client = connect(full, timeout=1.0, max_retries=0)
    started = time.monotonic()
    with pytest.raises(KeitoTimeoutError, match="no connection in time") as caught:
        client.time_entries.create(**entry_fields)
    assert not caught.value.sent
    assert time.monotonic() - started < 1.5


def test_a_host_that_does_not_exist(connect: Any, waits: "list[float]") -> None:
    client = connect("https://keito.invalid")
    with pytest.raises(KeitoConnectionError, match=r"no connection to keito\.invalid") as caught:
        client.users.me()
    assert not caught.value.sent


def test_a_handshake_that_never_ends_leaves_no_connection_behind(
    connect: Any, server: Any, acts: Any, eventually: Any
) -> None:
    server.acts(acts.silence)
    client = connect(server.url.replace("http:", "https:"), timeout=0.3, max_retries=0)
    with pytest.raises(KeitoTimeoutError):
        client.users.me()
    eventually(lambda: server.ended == server.connections == 1)


@pytest.mark.parametrize("action", ["drop_before", "drop_after", "truncate"])
def test_a_write_whose_answer_is_lost(
    connect: Any, keito_sandbox: Any, action: str, entry_fields: "dict[str, Any]", waits: "list[float]"
) -> None:
    client = connect()
    keito_sandbox.faults.add(action, method="POST")
    with pytest.raises(KeitoConnectionError) as caught:
        client.time_entries.create(**entry_fields)
    assert caught.value.sent
    assert len(keito_sandbox.requests("POST")) == 1
    assert waits == []
    assert len(list(client.time_entries.list())) == (0 if action == "drop_before" else 1)


# The same on a connection that is reused: the client must not take the hang-up for an old connection's end.
def test_a_write_whose_answer_is_lost_on_a_used_connection(
    connect: Any, keito_sandbox: Any, entry_fields: "dict[str, Any]", waits: "list[float]"
) -> None:
    client = connect()
    for method, write in (
        ("POST", lambda: client.time_entries.create(**entry_fields)),
        ("PATCH", lambda: client.time_entries.restart("te_1")),
    ):
        client.users.me()
        keito_sandbox.faults.add("drop_after", method=method)
        with pytest.raises(KeitoConnectionError):
            write()
        assert len(keito_sandbox.requests(method)) == 1


def test_a_delete_on_a_used_connection_is_sent_as_often_as_keito_says(
    connect: Any, keito_sandbox: Any, entry_fields: "dict[str, Any]"
) -> None:
    client = connect(max_retries=0)
    entry = client.time_entries.create(**entry_fields)
    keito_sandbox.faults.add("drop_before", method="DELETE", times=2)
    with pytest.raises(KeitoConnectionError):
        client.time_entries.delete(entry.id)
    assert len(keito_sandbox.requests("DELETE")) == 1


def test_a_connection_that_the_server_closed_meanwhile(
    connect: Any, server: Any, acts: Any, eventually: Any, waits: "list[float]"
) -> None:
    client = connect(server.url)
    server.acts(acts.say(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" + USER))  # and no "Connection: close"
    for number in range(1, 4):
        assert client.users.me().id == "u_1"
        eventually(lambda number=number: server.ended == number)
    assert server.connections == 3


@pytest.mark.parametrize("key", ["Idempotency-Key", "X-Idempotency-Key", "idempotency-key", "option"])
def test_a_write_with_a_key_happens_once(
    connect: Any, keito_sandbox: Any, key: str, entry_fields: "dict[str, Any]", waits: "list[float]"
) -> None:
    client = connect()
    options: Any = {"idempotency_key": "k-1"} if key == "option" else {"additional_headers": {key: "k-1"}}
    keito_sandbox.faults.add("drop_after", method="POST", times=2)
    entry = client.time_entries.create(**entry_fields, request_options=options)
    requests = keito_sandbox.requests("POST")
    assert len(requests) == 3
    name = "idempotency-key" if key == "option" else key.lower()
    assert [request["headers"][name] for request in requests] == ["k-1"] * 3
    assert [found.id for found in client.time_entries.list()] == [entry.id]


def test_an_empty_key_is_no_key(
    connect: Any, keito_sandbox: Any, entry_fields: "dict[str, Any]", waits: "list[float]"
) -> None:
    client = connect()
    keito_sandbox.faults.add("status", method="POST", status=503)
    with pytest.raises(KeitoServerError):
        client.time_entries.create(**entry_fields, request_options={"additional_headers": {"Idempotency-Key": ""}})
    with pytest.raises(KeitoValidationError):
        client.time_entries.create(**entry_fields, request_options={"idempotency_key": ""})
    assert len(keito_sandbox.requests("POST")) == 1


def test_a_restart_with_a_key_is_repeated(
    connect: Any, keito_sandbox: Any, entry_fields: "dict[str, Any]", waits: "list[float]"
) -> None:
    client = connect()
    keito_sandbox.seed(entries=[{**entry_fields, "id": "te_1"}])
    keito_sandbox.faults.add("drop_after", path="time_entries/te_1/restart")
    assert client.time_entries.restart("te_1", request_options={"idempotency_key": "k"}).is_running
    assert len(keito_sandbox.requests("PATCH")) == 2


def test_dripping_sandbox_answers_end_in_time(connect: Any, keito_sandbox: Any) -> None:
    client = connect(timeout=0.3, max_retries=0)
    keito_sandbox.faults.add("drip", seconds=0.05)
    started = time.monotonic()
    with pytest.raises(KeitoTimeoutError):
        client.users.me()
    assert time.monotonic() - started < 0.8


def test_all_errors_have_one_root(wild: Any, server: Any, acts: Any) -> None:
    server.acts(acts.reset, acts.answer(b"", 500), acts.answer(b"{}"))
    for _ in range(3):
        with pytest.raises(KeitoError):
            wild.users.me()
