"""Clients: how they are built, shared, lent a connection pool, and closed."""

import asyncio
import base64
import gc
import json
import logging
import os
import pickle
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from keito import (
    AsyncKeito,
    Keito,
    KeitoApiError,
    KeitoAuthError,
    KeitoConflictError,
    KeitoError,
    KeitoForbiddenError,
    KeitoNotFoundError,
    KeitoValidationError,
)
from keito.core.raw_response import RawResponse
from keito.types import TimeEntry

FIELDS = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}
USER = b'{"id": "u_1"}'
KINDS = [Keito, AsyncKeito]


@pytest.fixture
def given(keito_sandbox: Any) -> "dict[str, Any]":
    """The arguments of a client of the sandbox."""
    return {
        "api_key": keito_sandbox.api_key,
        "account_id": keito_sandbox.account_id,
        "base_url": keito_sandbox.url,
        "timeout": 10,
    }


# ---- building ----


@pytest.mark.parametrize("kind", KINDS)
class TestBuilding:
    def test_nothing_is_sent(self, kind: Any, keito_sandbox: Any, given: "dict[str, Any]") -> None:
        kind(**given)
        assert keito_sandbox.requests() == []

    @pytest.mark.parametrize("missing", ["api_key", "account_id"])
    def test_missing_credentials(self, kind: Any, given: "dict[str, Any]", missing: str) -> None:
        del given[missing]
        with pytest.raises(KeitoAuthError, match=f"KEITO_{missing.upper()}") as caught:
            kind(**given)
        assert caught.value.status_code == 401
        with pytest.raises(KeitoAuthError, match=missing):
            kind(**given, **{missing: ""})

    @pytest.mark.parametrize(
        "key", ["kto_secret\n", " kto_secret", "kto secret", "kto_\u20acsecret", "a\r\nX: b", "\x00"]
    )
    def test_a_key_that_cannot_be_a_header(self, kind: Any, given: "dict[str, Any]", key: str) -> None:
        with pytest.raises(KeitoAuthError, match="api_key") as caught:
            kind(**{**given, "api_key": key})
        assert "secret" not in str(caught.value)
        with pytest.raises(KeitoAuthError, match="account_id"):
            kind(**{**given, "account_id": key})

    @pytest.mark.parametrize("key", [5, b"kto_secret", ["kto_secret"]])
    def test_a_key_of_another_type(self, kind: Any, given: "dict[str, Any]", key: Any) -> None:
        with pytest.raises(KeitoAuthError, match="api_key") as caught:
            kind(**{**given, "api_key": key})
        assert "secret" not in str(caught.value)

    def test_credentials_of_the_environment(
        self, kind: Any, given: "dict[str, Any]", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("api_key", "account_id", "base_url"):
            monkeypatch.setenv(f"KEITO_{name.upper()}", given[name])
        assert given["base_url"] in repr(kind())
        with pytest.raises(KeitoAuthError, match="api_key"):
            kind(api_key="")  # given is given, even if it is nothing

    def test_positional_arguments_are_refused(self, kind: Any) -> None:
        with pytest.raises(TypeError):
            kind("kto_key", "acc")

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("timeout", 0),
            ("timeout", -1),
            ("timeout", "60"),
            ("timeout", float("nan")),
            ("timeout", float("inf")),
            ("max_retries", -1),
            ("max_retries", 1.5),
            ("max_retries", None),
            ("httpx_client", object()),
        ],
    )
    def test_unusable_options(self, kind: Any, given: "dict[str, Any]", option: str, value: Any) -> None:
        with pytest.raises(KeitoValidationError, match=option):
            kind(**{**given, option: value})

    def test_the_wrong_kind_of_client(self, kind: Any, given: "dict[str, Any]") -> None:
        other: Any = httpx.AsyncClient() if kind is Keito else httpx.Client()
        with pytest.raises(KeitoValidationError, match="httpx_client"):
            kind(**given, httpx_client=other)

    @pytest.mark.parametrize(
        "url",
        [
            "http://keito.example",
            "http://10.0.0.1:8080",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "http://127.0.0.1@evil.example",
            "http://[2001:db8::1]",
            "HTTP://KEITO.EXAMPLE",
        ],
    )
    def test_unencrypted_to_another_machine(
        self, kind: Any, given: "dict[str, Any]", url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(KeitoValidationError, match="base_url"):
            kind(**{**given, "base_url": url})
        monkeypatch.setenv("KEITO_ALLOW_HTTP", "1")
        if "@" not in url:
            kind(**{**given, "base_url": url})
        monkeypatch.setenv("KEITO_ALLOW_HTTP", "0")
        with pytest.raises(KeitoValidationError, match="base_url"):
            kind(**{**given, "base_url": url})

    @pytest.mark.parametrize(
        "url", ["http://localhost:1", "http://127.0.0.1", "http://127.9.9.9:80", "http://[::1]:80"]
    )
    def test_unencrypted_on_this_machine(self, kind: Any, given: "dict[str, Any]", url: str) -> None:
        kind(**{**given, "base_url": url})

    @pytest.mark.parametrize(
        "url",
        [
            "app.keito.io",
            "ftp://app.keito.io",
            "https://",
            "https:///api/v2",
            "https://x/?a=1",
            "https://x/#f",
            "https://user:secret@x",
            "https://x:99999",
            "https://xn--a",
            "https://x\ny",
            5,
            ["https://x"],
        ],
    )
    def test_no_url(self, kind: Any, given: "dict[str, Any]", url: Any) -> None:
        with pytest.raises(KeitoValidationError, match="base_url") as caught:
            kind(**{**given, "base_url": url})
        assert "secret" not in str(caught.value)

    def test_a_repr_without_secrets(self, kind: Any, given: "dict[str, Any]") -> None:
        client = kind(**{**given, "api_key": "kto_secret_key"})
        shown = [repr(client), str(client), repr(client.time_entries), repr(client._driver), repr(client._driver.wire)]
        assert not [text for text in shown if "kto_secret_key" in text]


@pytest.mark.parametrize("suffix", ["", "/", "/api/v2", "/api/v2/", "///"])
def test_base_url_with_or_without_the_api(connect: Any, keito_sandbox: Any, suffix: str) -> None:
    assert connect(keito_sandbox.url + suffix).users.me().id == "usr_agent"
    assert keito_sandbox.requests()[-1]["path"] == "/api/v2/users/me"


@pytest.mark.parametrize("suffix", ["/keito", "/keito/", "/keito/api/v2", "/keito/api/v2/"])
def test_base_url_behind_a_prefix(connect: Any, server: Any, acts: Any, suffix: str) -> None:
    server.acts(acts.answer(USER))
    connect(server.url + suffix).users.me()
    assert server.requests[0].startswith(b"GET /keito/api/v2/users/me HTTP/1.1\r\n")


def test_what_goes_out(connect: Any, server: Any, acts: Any) -> None:
    server.acts(acts.answer(USER))
    client = connect(server.url, api_key="kto_key", account_id="acc_1")
    client.users.me()
    head = server.requests[0].lower()
    assert b"authorization: bearer kto_key\r\n" in head
    assert b"keito-account-id: acc_1\r\n" in head
    assert head.count(b"host:") == head.count(b"authorization:") == head.count(b"user-agent:") == 1
    assert b"cookie" not in head


def test_cookies_are_not_kept(connect: Any, server: Any, acts: Any) -> None:
    server.acts(acts.answer(USER, headers=b"Set-Cookie: a=b; Path=/\r\n"))
    client = connect(server.url.replace("127.0.0.1", "localhost"))  # who keeps cookies keeps none of an address
    client.users.me()
    client.users.me()
    assert b"cookie" not in server.requests[1].lower()


def test_additional_headers_win(connect: Any, server: Any, acts: Any) -> None:
    server.acts(acts.answer(USER))
    headers = {"User-Agent": "mine/1", "keito-account-id": "acc_2", "X-Latin": "caf\xe9"}
    connect(server.url).users.me(request_options={"additional_headers": headers})
    head = server.requests[0]
    assert b"mine/1" in head
    assert b"acc_2" in head
    assert b"acc_sandbox" not in head
    assert head.lower().count(b"user-agent:") == 1


def jwt() -> str:
    parts = [{"alg": "none"}, {"org_id": "acc_sandbox"}]
    head, claims = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{claims}.c2ln"


def test_a_token_needs_no_account(connect: Any, server: Any, acts: Any) -> None:
    server.acts(acts.answer(USER))
    connect(server.url, api_key=jwt(), account_id=None).users.me()
    assert f"bearer {jwt()}".lower().encode() in server.requests[0].lower()
    assert b"keito-account-id" not in server.requests[0].lower()


@pytest.mark.parametrize(
    ("key", "kind"), [("kto_sandbox_member", KeitoForbiddenError), ("kto_unknown", KeitoAuthError)]
)
def test_the_server_judges_the_key(connect: Any, key: str, kind: "type[KeitoApiError]") -> None:
    with pytest.raises(kind) as caught:
        connect(api_key=key).clients.create(name="n")
    assert key not in str(caught.value)


# ---- closing ----


def test_a_closed_client_says_so(connect: Any, keito_sandbox: Any) -> None:
    client = connect()
    client.users.me()
    client.close()
    client.close()
    for call in (client.users.me, lambda: next(client.tasks.list()), client.users.with_raw_response.me):
        with pytest.raises(KeitoError, match="closed"):
            call()
    assert len(keito_sandbox.requests()) == 1


def test_closing_an_unused_client(connect: Any) -> None:
    connect().close()


def test_context_manager(given: "dict[str, Any]") -> None:
    with Keito(**given) as client:
        assert client.users.me().id == "usr_agent"
    with pytest.raises(KeitoError, match="closed"):
        client.users.me()
    with pytest.raises(ZeroDivisionError), Keito(**given):
        raise ZeroDivisionError


@pytest.mark.anyio
async def test_async_context_manager(given: "dict[str, Any]") -> None:
    async with AsyncKeito(**given) as client:
        assert (await client.users.me()).id == "usr_agent"
    with pytest.raises(KeitoError, match="closed"):
        await client.users.me()
    with pytest.raises(ZeroDivisionError):
        async with AsyncKeito(**given):
            raise ZeroDivisionError
    other = AsyncKeito(**given)
    await other.users.me()
    await other.aclose()


def open_sockets() -> int:
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):  # noqa: PTH112
        pytest.skip("needs /proc")
    links = [f"{folder}/{name}" for name in os.listdir(folder)]  # noqa: PTH208
    found = 0
    for link in links:
        try:
            found += os.readlink(link).startswith("socket:")  # noqa: PTH115
        except OSError:  # noqa: PERF203 - the folder's own descriptor
            continue
    return found


def test_a_dropped_client_closes_its_connections(given: "dict[str, Any]", eventually: Callable[..., None]) -> None:
    gc.collect()
    before = open_sockets()
    client = Keito(**given)
    client.users.me()
    assert open_sockets() > before
    driver = weakref.ref(client._driver)
    del client
    assert driver() is None, "no cycle keeps the client alive"
    eventually(lambda: open_sockets() <= before)


def test_one_connection_serves_one_caller(connect: Any) -> None:
    client = connect()
    client.users.me()
    before = open_sockets()
    for _ in range(20):
        client.users.me()
    assert open_sockets() <= before


# ---- the caller's own httpx client ----


def test_own_client_is_used_and_stays_open(given: "dict[str, Any]", keito_sandbox: Any) -> None:
    seen: list[str] = []
    hooks = {"request": [lambda request: seen.append(request.url.path)]}
    with httpx.Client(headers={"X-Mine": "1"}, event_hooks=hooks) as http:
        with Keito(**given, httpx_client=http) as client:
            assert client.users.me().id == "usr_agent"
        assert not http.is_closed
    assert seen == ["/api/v2/users/me"]
    (request,) = keito_sandbox.requests()
    assert request["headers"]["x-mine"] == "1"
    assert request["headers"]["keito-account-id"] == "acc_sandbox"
    assert request["headers"]["user-agent"].startswith("keito-python/")


@pytest.mark.anyio
async def test_own_async_client_is_used_and_stays_open(given: "dict[str, Any]", keito_sandbox: Any) -> None:
    async with httpx.AsyncClient(headers={"X-Mine": "1"}) as http:
        async with AsyncKeito(**given, httpx_client=http) as client:
            assert (await client.users.me()).id == "usr_agent"
            assert [task.id async for task in client.tasks.list(prefetch=2)] == ["task_tickets"]
        assert not http.is_closed
    assert {request["headers"]["x-mine"] for request in keito_sandbox.requests()} == {"1"}


@pytest.mark.anyio
async def test_a_closed_own_client_says_so(given: "dict[str, Any]") -> None:
    http = httpx.Client()
    http.close()  # noqa: ASYNC212
    with pytest.raises(KeitoError, match="httpx client"):
        Keito(**given, httpx_client=http).users.me()
    awaited = httpx.AsyncClient()
    await awaited.aclose()
    with pytest.raises(KeitoError, match="httpx client"):
        await AsyncKeito(**given, httpx_client=awaited).users.me()


# What httpx's own documentation shows hooks for: logging the body, and raising for a status.
@pytest.mark.anyio
async def test_hooks_of_an_own_client(given: "dict[str, Any]") -> None:
    def read(response: httpx.Response) -> None:
        response.read()

    async def aread(response: httpx.Response) -> None:
        await response.aread()

    async def araise(response: httpx.Response) -> None:
        response.raise_for_status()

    with httpx.Client(event_hooks={"response": [read]}) as http:
        assert Keito(**given, httpx_client=http).users.me().id == "usr_agent"
    with httpx.Client(event_hooks={"response": [lambda response: response.raise_for_status()]}) as http:  # noqa: SIM117
        with pytest.raises(KeitoNotFoundError):
            Keito(**given, httpx_client=http).clients.get("nope")
    with httpx.Client(event_hooks={"response": [read, lambda response: response.raise_for_status()]}) as http:  # noqa: SIM117
        with pytest.raises(KeitoNotFoundError, match="Resource not found"):
            Keito(**given, httpx_client=http).clients.get("nope")
    async with httpx.AsyncClient(event_hooks={"response": [aread, araise]}) as awaited:
        client = AsyncKeito(**given, httpx_client=awaited)
        assert (await client.users.me()).id == "usr_agent"
        with pytest.raises(KeitoNotFoundError, match="Resource not found"):
            await client.clients.get("nope")


def test_own_transports(given: "dict[str, Any]") -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"id": "mocked"}))
    with httpx.Client(transport=transport) as http:
        assert Keito(**given, httpx_client=http).users.me().id == "mocked"


# ---- threads, event loops ----


def test_threads(keito_sandbox: Any, keito_client: Keito) -> None:
    failures: list[BaseException] = []
    created: list[str] = []

    def work(number: int) -> None:
        try:
            for count in range(50):
                entry = keito_client.time_entries.create(**FIELDS, hours=1, notes=f"{number}-{count}")  # type: ignore[arg-type]
                assert entry.notes == f"{number}-{count}", "the answer belongs to the request"
                created.append(entry.id)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(set(created)) == 400
    assert keito_client.time_entries.list(per_page=1).pages().__next__().total_entries == 400


def test_a_timeout_in_one_thread_leaves_the_others_alone(given: "dict[str, Any]", keito_sandbox: Any) -> None:
    client = Keito(**given)
    keito_sandbox.faults.add("delay", path="clients", seconds=5)
    results: list[Any] = []

    def hurried() -> None:
        try:
            next(client.clients.list(request_options={"timeout": 0.1, "max_retries": 0}))
        except KeitoError as error:
            results.append(type(error).__name__)

    thread = threading.Thread(target=hurried)
    thread.start()
    names = {client.users.me().id for _ in range(50)}
    thread.join()
    client.close()
    assert (results, names) == (["KeitoTimeoutError"], {"usr_agent"})


@pytest.mark.anyio
@pytest.mark.parametrize("extra", ["aiohttp", "httpx"])
async def test_many_tasks(given: "dict[str, Any]", request: pytest.FixtureRequest, extra: str) -> None:
    if extra == "httpx":
        request.getfixturevalue("without_aiohttp")
    async with AsyncKeito(**given) as client:

        async def create(number: int) -> None:
            entry = await client.time_entries.create(**FIELDS, hours=1, notes=str(number))  # type: ignore[arg-type]
            assert entry.notes == str(number)

        await asyncio.gather(*(create(number) for number in range(150)))
        listing = client.time_entries.list(per_page=1)
        await listing.__anext__()
        assert listing.total_entries == 150


@pytest.mark.anyio
@pytest.mark.parametrize("extra", ["aiohttp", "httpx"])
async def test_cancellation(given: "dict[str, Any]", keito_sandbox: Any, request: Any, extra: str) -> None:
    if extra == "httpx":
        request.getfixturevalue("without_aiohttp")
    async with AsyncKeito(**given) as client:
        await client.users.me()
        keito_sandbox.faults.add("delay", seconds=30, times=3)
        tasks = [asyncio.ensure_future(client.users.me()) for _ in range(3)]
        await asyncio.sleep(0)
        done, _ = await asyncio.wait(tasks, timeout=0.1)
        assert not done
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] * 3
        keito_sandbox.faults.clear()
        assert (await client.users.me()).id == "usr_agent"


@pytest.mark.parametrize("extra", ["aiohttp", "httpx"])
def test_several_event_loops(given: "dict[str, Any]", request: Any, extra: str) -> None:
    if extra == "httpx":
        request.getfixturevalue("without_aiohttp")
    client = AsyncKeito(**given)
    sockets: list[int] = []

    async def use() -> str:
        users = await asyncio.gather(*(client.users.me() for _ in range(5)))
        assert [task.id async for task in client.tasks.list(prefetch=1)] == ["task_tickets"]
        return str(users[0].id)

    for _ in range(8):
        assert asyncio.run(use()) == "usr_agent"
        sockets.append(open_sockets())
    assert sockets[-1] < sockets[0] + 10, "each event loop closes the connections that it leaves behind"
    assert len(client._driver._loops) == 1

    async def close() -> None:
        await client.users.me()
        await client.close()

    asyncio.run(close())
    with pytest.raises(KeitoError, match="closed"):
        asyncio.run(use())


def test_event_loops_of_several_threads(given: "dict[str, Any]") -> None:
    client = AsyncKeito(**given)
    results: list[str] = []

    async def use() -> None:
        for _ in range(10):
            results.append((await client.users.me()).id)  # noqa: PERF401

    threads = [threading.Thread(target=lambda: asyncio.run(use())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["usr_agent"] * 40


@pytest.mark.anyio
@pytest.mark.parametrize("extra", ["aiohttp", "httpx"])
async def test_a_dropped_async_client_closes_its_connections(given: "dict[str, Any]", request: Any, extra: str) -> None:
    if extra == "httpx":
        request.getfixturevalue("without_aiohttp")
    client = AsyncKeito(**given)
    await asyncio.gather(*(client.users.me() for _ in range(5)))
    opened = open_sockets()
    del client
    deadline = time.monotonic() + 5
    while open_sockets() >= opened:
        assert time.monotonic() < deadline
        gc.collect()
        await asyncio.sleep(0.005)


# ---- raw answers ----


def test_a_raw_answer(client: Any, keito_sandbox: Any) -> None:
    raw = client.time_entries.with_raw_response.create(**FIELDS, hours=1)
    assert isinstance(raw, RawResponse)
    assert isinstance(raw.data, TimeEntry)
    assert raw.status_code == 200
    assert raw.headers["X-Keito-API-Version"] == "2"
    assert raw.raw_response.json()["id"] == raw.data.id
    assert raw.raw_response.request.method == "POST"
    assert str(raw.raw_response.request.url).endswith("/api/v2/time_entries")


def test_raw_answers_of_a_delete_and_a_list(client: Any) -> None:
    entry = client.time_entries.create(**FIELDS, hours=1)
    page = client.time_entries.with_raw_response.list(per_page=10)
    assert ([each.id for each in page.data.items], page.data.total_entries) == ([entry.id], 1)
    assert page.status_code == 200
    deleted = client.time_entries.with_raw_response.delete(entry.id)
    assert (deleted.data, deleted.status_code) == (None, 204)
    report = client.reports.with_raw_response.team_time("2026-03-01", "2026-03-31")
    assert report.data.items == []


def test_raw_calls_raise_as_others_do(client: Any) -> None:
    with pytest.raises(KeitoNotFoundError):
        client.clients.with_raw_response.get("nope")
    with pytest.raises(KeitoValidationError):
        client.time_entries.with_raw_response.create(**FIELDS, hours=99)


def test_a_raw_answer_holds_no_key(connect: Any, keito_sandbox: Any) -> None:
    raw = connect().users.with_raw_response.me()
    copied = pickle.loads(pickle.dumps(raw))
    assert copied.data == raw.data
    assert keito_sandbox.api_key.encode() not in pickle.dumps(raw).replace(b"kto_sandbox_", b"")
    assert keito_sandbox.api_key not in repr(raw.raw_response.request.headers.raw)
    assert keito_sandbox.api_key not in repr(raw)


# ---- logging ----


@pytest.fixture
def own_log() -> "Iterator[None]":
    """Takes back what `KEITO_LOG` does to the logger."""
    logger = logging.getLogger("keito")
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.mark.usefixtures("own_log")
def test_one_line_a_request(
    client: Any, keito_sandbox: Any, waits: "list[float]", caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="keito")
    keito_sandbox.faults.add("status", status=503)
    client.users.me()
    client.time_entries.start(project_id="proj_support", task_id="task_tickets")
    with pytest.raises(KeitoConflictError):
        client.time_entries.start(project_id="proj_support", task_id="task_tickets")
    lines = [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("keito") and "sandbox" not in record.name
    ]
    assert len(lines) == 4
    assert lines[0].startswith("GET /api/v2/users/me: 503 in ")
    assert lines[1].startswith("GET /api/v2/users/me: 200 in ")
    assert lines[3].startswith("POST /api/v2/time_entries: 409 in ")
    assert keito_sandbox.api_key not in caplog.text


def test_no_log_unless_asked(client: Any, capfd: pytest.CaptureFixture[str]) -> None:
    client.users.me()
    assert capfd.readouterr() == ("", "")
