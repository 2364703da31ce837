"""The server as a process and as an object: start, stop, persistence, concurrency."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from keito.cli import main
from keito.sandbox import SandboxServer

HEADERS = {"Authorization": "Bearer kto_sandbox", "Keito-Account-Id": "acc_sandbox"}
ENTRY = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05", "hours": 1}


def client_of(url):
    return httpx.Client(base_url=f"{url}/api/v2", headers=HEADERS, verify=False, timeout=10)


@pytest.fixture
def run():
    """Starts `python -m keito sandbox` and gives the process and its URL."""
    processes = []

    def run(*options):
        command = [sys.executable, "-m", "keito", "sandbox", "--port", "0", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        line = process.stdout.readline()
        assert line.startswith("Keito sandbox ready on http://127.0.0.1:"), line + process.stderr.read()
        return process, line.split()[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


class TestCommand:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_answers_and_stops(self, run, number):
        process, url = run()
        with client_of(url) as client:
            assert client.get("/users/me").json()["id"] == "usr_agent"
            process.send_signal(number)
            out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")

    def test_stops_with_open_connections(self, run):
        process, url = run()
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as half, client_of(url) as client:
            half.sendall(b"POST /api/v2/time_entries HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
            fault = {"action": "drip", "seconds": 3600}
            client.post(f"{url}/_sandbox/faults", json=fault)
            with client.stream("GET", "/users/me"):
                begin = time.monotonic()
                process.terminate()
                _, err = process.communicate(timeout=10)
        assert time.monotonic() - begin < 5
        assert (process.returncode, err) == (0, "")

    def test_keeps_the_workspace_in_a_file(self, run, tmp_path):
        for expected in (0, 1):
            process, url = run("--db", str(tmp_path / "sandbox.db"))
            with client_of(url) as client:
                assert client.get("/time_entries").json()["total_entries"] == expected
                headers = {"Idempotency-Key": "k"}
                answer = client.post("/time_entries", json=ENTRY, headers=headers)
                assert ("Idempotent-Replayed" in answer.headers) is bool(expected)
            process.terminate()
            process.communicate(timeout=10)
            assert process.returncode == 0

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
    def test_what_was_answered_survives_a_kill(self, run, tmp_path):
        process, url = run("--db", str(tmp_path / "sandbox.db"))
        with client_of(url) as client:
            for _ in range(20):
                assert client.post("/time_entries", json=ENTRY).status_code == 200
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        _, url = run("--db", str(tmp_path / "sandbox.db"))
        with client_of(url) as client:
            assert client.get("/time_entries").json()["total_entries"] == 20

    def test_options(self, run):
        _, url = run("--idempotency", "off", "--rate-limit", "9", "--latency", "0.01", "--rounding", "up_15")
        assert httpx.get(f"{url}/_sandbox/settings", verify=False).json() == {
            "idempotency": False,
            "rate_limit": 9,
            "latency": 0.01,
            "rounding": "up_15",
        }

    def test_port_in_use(self, server, capsys):
        port = server.url.rpartition(":")[2]
        assert main(["sandbox", "--port", port]) == 1
        advice = "choose another with --port, or --port 0 for a free one"
        assert capsys.readouterr().err == f"keito sandbox: port {port} is in use; {advice}\n"

    def test_unknown_host(self, capsys):
        assert main(["sandbox", "--port", "0", "--host", "nowhere.invalid"]) == 1
        assert capsys.readouterr().err.startswith("keito sandbox: cannot listen on nowhere.invalid port 0: ")

    def test_every_network(self, run):
        process, url = run("--host", "0.0.0.0")
        with client_of(url) as client:
            assert client.get("/users/me").status_code == 200
        process.terminate()
        assert "warning: other machines can reach this sandbox" in process.communicate(timeout=10)[1]

    def test_help(self, capsys):
        with pytest.raises(SystemExit) as exit_:
            main(["sandbox", "--help"])
        assert exit_.value.code == 0
        said = capsys.readouterr().out
        assert "Run a Keito API" in said
        assert "`" not in said

    def test_unusable_file(self, tmp_path, capsys):
        (tmp_path / "notes.txt").write_text("not a database, but long enough to be looked at")
        assert main(["sandbox", "--port", "0", "--db", str(tmp_path / "notes.txt")]) == 1
        assert "not a database" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["sandbox", "--port", "x"], "must be a port from 0 to 65535"),
            (["sandbox", "--port", "99999"], "must be a port from 0 to 65535"),
            (["sandbox", "--rate-limit", "0"], "must be 1 or more"),
            (["sandbox", "--latency", "-1"], "'-1' is no number of seconds from 0 to 3600"),
            (["sandbox", "--latency", "abc"], "'abc' is no number of seconds from 0 to 3600"),
            (["sandbox", "--latency", "nan"], "'nan' is no number of seconds"),
            (["sandbox", "--idempotency", "maybe"], "'maybe'"),
        ],
    )
    def test_usage(self, arguments, reason, capsys):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code == 2
        said = capsys.readouterr().err
        assert "usage: python -m keito" in said
        assert reason in said

    def test_signal_handlers_are_given_back(self, server):
        before = signal.getsignal(signal.SIGTERM)
        main(["sandbox", "--port", server.url.rpartition(":")[2]])
        assert signal.getsignal(signal.SIGTERM) is before


class TestMissingExtra:
    SCRIPT = """
import sys
sys.modules["fastapi"] = None
import keito.sandbox.pytest_plugin
{code}
"""

    def run(self, code):
        script = self.SCRIPT.format(code=code)
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    def test_import_says_what_to_install(self):
        result = self.run("from keito.sandbox import SandboxServer")
        assert 'ImportError: The sandbox needs FastAPI and uvicorn: pip install "keito[sandbox]"' in result.stderr

    def test_command_says_what_to_install(self):
        result = self.run("from keito.cli import main; sys.exit(main(['sandbox']))")
        assert result.returncode == 1
        assert result.stderr == ('keito sandbox: The sandbox needs FastAPI and uvicorn: pip install "keito[sandbox]"\n')


class TestServer:
    def test_in_a_with_statement(self):
        with SandboxServer() as server, client_of(server.url) as client:
            assert client.get("/users/me").status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url, verify=False)

    def test_again(self):
        server = SandboxServer()
        for _ in range(2):
            with server:
                assert httpx.get(f"{server.url}/api/health", verify=False).status_code == 200
        server.stop()

    def test_twice_at_once(self, server):
        with pytest.raises(RuntimeError, match="running already"):
            server.start()

    def test_on_a_port_that_is_none(self):
        with pytest.raises(ValueError, match="port must be 0 to 65535; got 99999"):
            SandboxServer(port=99999).start()

    def test_before_it_was_started(self):
        with pytest.raises(RuntimeError, match="not running"):
            SandboxServer().reset()

    def test_ipv6(self):
        try:
            with SandboxServer(host="::1") as server:
                assert server.url.startswith("http://[::1]:")
                assert httpx.get(f"{server.url}/api/health", verify=False).status_code == 200
        except OSError:
            pytest.skip("no IPv6 on this machine")

    def test_stops_at_once_while_requests_wait(self, eventually):
        with SandboxServer(latency=3600) as server:

            def wait():
                with client_of(server.url) as client, pytest.raises(httpx.TransportError):
                    client.get("/users/me")

            thread = threading.Thread(target=wait)
            thread.start()
            eventually(server.requests)
            begin = time.monotonic()
        thread.join(10)
        assert time.monotonic() - begin < 5

    def test_a_failing_rule_is_a_500(self, server, api, monkeypatch, caplog):
        def fail(*_arguments):
            raise ZeroDivisionError

        monkeypatch.setattr("keito.sandbox.app.authenticate", fail)
        response = api.get("/tasks")
        assert (response.status_code, response.json()["error"]) == (500, "internal server error")
        assert "GET /api/v2/tasks failed" in caplog.text


class TestFile:
    def test_is_written_ahead(self, tmp_path):
        with SandboxServer(db=tmp_path / "sandbox.db") as server:
            with client_of(server.url) as client:
                client.post("/time_entries", json=ENTRY)
            connection = sqlite3.connect(tmp_path / "sandbox.db")
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("SELECT COUNT(*) FROM time_entries").fetchone() == (1,)
            connection.close()
        assert [path.name for path in tmp_path.iterdir()] == ["sandbox.db"]

    def test_of_another_version(self, tmp_path):
        connection = sqlite3.connect(tmp_path / "other.db")
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        with pytest.raises(RuntimeError, match="another file"):
            SandboxServer(db=tmp_path / "other.db").start()

    def test_of_another_program(self, tmp_path):
        connection = sqlite3.connect(tmp_path / "other.db")
        connection.execute("CREATE TABLE notes (text)")
        connection.close()
        with pytest.raises(RuntimeError, match="another file"):
            SandboxServer(db=tmp_path / "other.db").start()


@pytest.mark.parametrize("on_disk", [False, True])
def test_many_threads_write_and_read(tmp_path, on_disk):
    with SandboxServer(db=tmp_path / "sandbox.db" if on_disk else None) as server:

        def work(_number):
            with client_of(server.url) as client:
                for _ in range(25):
                    assert client.post("/time_entries", json=ENTRY).status_code == 200
                    page = client.get("/time_entries?per_page=3").json()
                    assert 3 >= len(page["time_entries"]) >= min(3, page["total_entries"])

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        with client_of(server.url) as client:
            body = client.get("/time_entries?per_page=2000").json()
    assert len({entry["id"] for entry in body["time_entries"]}) == body["total_entries"] == 200


def test_one_timer_wins(connect):
    clients = [connect() for _ in range(8)]

    def start(client):
        today = {"spent_date": "2026-03-05", "hours": 0}
        return client.post("/time_entries", json={**ENTRY, **today, "is_running": True}).status_code

    with ThreadPoolExecutor(len(clients)) as pool:
        assert sorted(pool.map(start, clients)) == [200] + [409] * 7
