"""The sandbox is driven as its users drive it: by plain httpx over a real socket."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import httpx
import pytest

from keito.sandbox import SandboxServer

START = datetime(2026, 3, 5, 9, 30, tzinfo=timezone.utc)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def tick(self, **delta):
        self.now += timedelta(**delta)


@pytest.fixture(scope="session")
def _clock():
    return Clock()


@pytest.fixture
def clock(_clock):
    _clock.now = START
    return _clock


@pytest.fixture(scope="session")
def _server(_clock):
    with SandboxServer(now=_clock) as server:
        yield server


@pytest.fixture
def server(_server, clock):
    """A server whose clock stands at 09:30 UTC on 5 March 2026."""
    _server.reset()
    yield _server
    _server.reset()


@pytest.fixture
def connect(server):
    """Makes clients of the API: `connect()` is the administrator's, `connect(key)` another's."""
    clients = []

    def make(key=server.api_key, account=server.account_id, **options):
        headers = {"Authorization": f"Bearer {key}", "Keito-Account-Id": account}
        clients.append(
            httpx.Client(base_url=f"{server.url}/api/v2", headers=headers, verify=False, timeout=10, **options)
        )
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def api(connect):
    return connect()


@pytest.fixture
def member(connect, server):
    return connect(server.member_key)


@pytest.fixture
def manager(connect, server):
    return connect(server.manager_key)


@pytest.fixture
def sync(connect, server):
    return connect(server.sync_key)


@pytest.fixture
def control(server):
    with httpx.Client(base_url=f"{server.url}/_sandbox", verify=False, timeout=10) as client:
        yield client


@pytest.fixture
def log_time(api):
    """Creates an entry; the keywords replace fields of a usual request."""

    def create(client=api, **fields):
        body = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05", **fields}
        response = client.post("/time_entries", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    return create


@pytest.fixture
def refused():
    """Checks a refusal and gives its description."""

    def check(response, status):
        assert response.status_code == status, response.text
        body = response.json()
        assert body["error"]
        return body["error_description"]

    return check


@pytest.fixture
def eventually():
    """Waits for a condition, with a deadline."""

    def wait(condition, seconds=5.0):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true"
            time.sleep(0.005)

    return wait
