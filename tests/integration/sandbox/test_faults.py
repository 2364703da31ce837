"""Faults happen on the real socket."""

import socket
import threading
import time

import httpx
import pytest

ENTRY = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05", "hours": 1}


@pytest.fixture
def post(api):
    return lambda **options: api.post("/time_entries", json=ENTRY, **options)


@pytest.fixture
def total(api):
    return lambda: api.get("/time_entries").json()["total_entries"]


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (400, "bad request"),
            (401, "unauthorized"),
            (402, "payment required"),
            (403, "forbidden"),
            (404, "not found"),
            (409, "conflict"),
            (429, "rate limited"),
            (500, "internal server error"),
            (503, "service unavailable"),
            (599, "error"),
        ],
    )
    def test_documented_body(self, server, post, total, status, error):
        server.faults.add("status", status=status)
        response = post()
        assert (response.status_code, response.json()["error"]) == (status, error)
        assert response.json()["error_description"]
        assert response.headers["X-Keito-API-Version"] == "2"
        assert total() == 0

    def test_headers_and_body(self, server, api):
        server.faults.add("status", status=503, headers={"Retry-After": "7"}, body={"error": "x", "message": "later"})
        response = api.get("/tasks")
        assert response.headers["Retry-After"] == "7"
        assert response.json() == {"error": "x", "message": "later"}

    def test_a_text_is_sent_as_it_is(self, server, api):
        server.faults.add("status", status=502, body="<h1>Bad gateway</h1>")
        response = api.get("/tasks")
        assert response.text == "<h1>Bad gateway</h1>"
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"

    def test_content_type(self, server, api):
        server.faults.add("status", status=502, body="busy", headers={"Content-Type": "text/plain"})
        assert api.get("/tasks").headers["Content-Type"] == "text/plain"

    def test_without_a_body(self, server, api):
        server.faults.add("status", status=204)
        assert api.get("/tasks").content == b""


class TestDelay:
    def test_then_handles(self, server, post, total):
        server.faults.add("delay", method="POST", seconds=0.2)
        begin = time.monotonic()
        assert post().status_code == 200
        assert time.monotonic() - begin >= 0.2
        assert total() == 1

    def test_a_client_that_gave_up_does_not_stop_it(self, server, post, total, eventually):
        server.faults.add("delay", method="POST", seconds=0.3)
        with pytest.raises(httpx.ReadTimeout):
            post(timeout=0.05)
        assert total() == 0
        eventually(lambda: total() == 1)

    def test_reset_ends_it_unhandled(self, server, connect, total, eventually):
        server.faults.add("delay", method="POST", seconds=3600)
        lost = []

        def wait():
            try:
                connect().post("/time_entries", json=ENTRY)
            except httpx.RemoteProtocolError as error:
                lost.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        eventually(lambda: server.requests(method="POST"))
        server.reset()
        thread.join(10)
        assert (len(lost), total()) == (1, 0)


def test_drop_before(server, post, total):
    server.faults.add("drop_before", method="POST")
    with pytest.raises(httpx.RemoteProtocolError):
        post()
    assert total() == 0
    assert post().status_code == 200


def test_drop_after(server, post, total):
    server.faults.add("drop_after", method="POST")
    with pytest.raises(httpx.RemoteProtocolError):
        post()
    assert total() == 1


def raw(server, request_line="GET /api/v2/users/me", body=b""):
    """A connection on which the request was sent, so that the bytes of the answer can be looked at."""
    host, port = server.url.removeprefix("http://").split(":")
    head = f"{request_line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.api_key}\r\n"
    head += f"Keito-Account-Id: {server.account_id}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(head.encode() + body)
    return connection


def read_all(connection):
    received = b""
    while True:
        part = connection.recv(65536)
        if not part:
            return received
        received += part


def promised(head):
    (length,) = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return int(length.partition(b":")[2])


class TestTruncate:
    def test_on_the_wire(self, server):
        server.faults.add("truncate")
        with raw(server) as connection:
            head, _, body = read_all(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert 0 < len(body) < promised(head)

    def test_comes_after_the_commit(self, server, post, total):
        server.faults.add("truncate", method="POST")
        with pytest.raises(httpx.RemoteProtocolError):
            post()
        assert total() == 1

    def test_nothing_to_cut(self, server, api, log_time):
        server.faults.add("truncate", method="DELETE")
        with pytest.raises(httpx.RemoteProtocolError):
            api.delete(f"/time_entries/{log_time()['id']}")


class TestDrip:
    def test_headers_come_at_once_and_the_body_byte_by_byte(self, server):
        server.faults.add("drip", seconds=0.02)
        with raw(server) as connection:
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536)
            head, _, body = received.partition(b"\r\n\r\n")
            parts = [connection.recv(65536) for _ in range(10)]
        assert head.startswith(b"HTTP/1.1 200")
        assert len(body) + sum(map(len, parts)) < promised(head) / 2

    def test_arrives_in_the_end(self, server, api):
        expected = api.get("/users/me").json()
        server.faults.add("drip", seconds=0)
        assert api.get("/users/me").json() == expected

    def test_the_commit_came_before(self, server, connect, total):
        server.faults.add("drip", method="POST", seconds=3600)
        with pytest.raises(httpx.ReadTimeout):
            connect().post("/time_entries", json=ENTRY, timeout=0.2)
        assert total() == 1

    def test_reset_ends_it(self, server):
        server.faults.add("drip", seconds=3600)
        with raw(server) as connection:
            assert connection.recv(1)
            server.reset()
            received = read_all(connection)
        assert b"\r\n\r\n" in received


class TestMatching:
    @pytest.mark.parametrize(
        ("path", "matches"),
        [
            ("*", True),
            ("/api/v2/time_entries", True),
            ("/time_entries", True),
            ("time_entries", True),
            ("/time_entries*", True),
            ("/time_*", True),
            ("*entries", True),
            ("/time_entries/*", False),
            ("/time", False),
            ("/expenses", False),
        ],
    )
    def test_path(self, server, api, path, matches):
        server.faults.add("status", status=500, path=path)
        assert (api.get("/time_entries").status_code == 500) is matches

    def test_path_below(self, server, api, log_time):
        entry = log_time()
        server.faults.add("status", status=500, path="/time_entries/*/stop")
        assert api.patch(f"/time_entries/{entry['id']}", json={}).status_code == 200
        assert api.patch(f"/time_entries/{entry['id']}/stop").status_code == 500

    def test_method(self, server, api, post):
        server.faults.add("status", status=500, method="post")
        assert api.get("/time_entries").status_code == 200
        assert post().status_code == 500

    def test_once_unless_told_otherwise(self, server, api):
        server.faults.add("status", status=500)
        assert [api.get("/tasks").status_code for _ in range(2)] == [500, 200]

    def test_times(self, server, api):
        server.faults.add("status", status=500, times=2)
        assert [api.get("/tasks").status_code for _ in range(3)] == [500, 500, 200]

    @pytest.mark.parametrize("times", [0, None])
    def test_until_deleted(self, server, api, times):
        server.faults.add("status", status=500, times=times)
        assert [api.get("/tasks").status_code for _ in range(3)] == [500, 500, 500]
        server.faults.clear()
        assert api.get("/tasks").status_code == 200

    def test_in_the_order_in_which_they_were_added(self, server, api):
        for status in (500, 502, 503):
            server.faults.add("status", status=status)
        assert [api.get("/tasks").status_code for _ in range(4)] == [500, 502, 503, 200]

    def test_control_routes_are_spared(self, server, control):
        server.faults.add("drop_before", times=0)
        assert control.get("/health").status_code == 200

    def test_before_the_key_is_looked_at(self, server, connect):
        server.faults.add("status", status=503)
        assert connect("kto_wrong").get("/tasks").status_code == 503


class TestRoutes:
    def test_add_list_and_delete(self, control, api):
        fault = {"method": "GET", "path": "/tasks", "times": 2, "action": "status", "status": 503}
        added = control.post("/faults", json=fault).json()
        assert added["id"]
        assert {name: added[name] for name in fault} == fault
        assert api.get("/tasks").status_code == 503
        (pending,) = control.get("/faults").json()["faults"]
        assert (pending["id"], pending["left"]) == (added["id"], 1)
        control.delete("/faults")
        assert api.get("/tasks").status_code == 200

    @pytest.mark.parametrize(
        "fault",
        [
            {},
            {"action": "explode"},
            {"action": "status"},
            {"action": "status", "status": 99},
            {"action": "delay", "seconds": -1},
            {"action": "delay", "times": -1},
            {"action": "delay", "when": "now"},
            {"action": "status", "status": 500, "headers": {"X": "a\r\nb"}},
            {"action": "status", "status": 500, "headers": {"X y": "a"}},
        ],
    )
    def test_unusable_faults(self, control, refused, fault):
        refused(control.post("/faults", json=fault), 400)
