"""`python -m keito outbox flush`: what waits is sent, and what stays behind is said."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from keito.outbox.record import RecordKind
from keito.outbox.stored import RecordState

pytestmark = pytest.mark.timeout(60)


def test_what_waits_is_sent(shell, put, store, keito_client) -> None:
    put("run-time-0")
    put("run-expense-0", kind=RecordKind.EXPENSE)
    said = shell("outbox", "flush", "--json")
    assert (said.status, said.json) == (
        0,
        {"complete": True, "delivered": 2, "pending": 0, "held": 0, "dead": 0, "unsure": 0, "dropped": 0},
    )
    assert [entry.metadata["keito"]["key"] for entry in keito_client.time_entries.list()] == ["run-time-0"]
    assert store.counts() == {**dict.fromkeys(RecordState, 0), RecordState.DELIVERED: 2}
    assert shell("outbox", "flush").out == "0 delivered\n"


def test_what_was_held_is_tried_again(shell, put) -> None:
    put("a", RecordState.HELD, status_code=401, reason="401 unauthorized")
    assert shell("outbox", "flush").out == "1 delivered\n"


def test_what_is_refused_gives_status_1_and_says_where_to_look(shell, put) -> None:
    put("a", body={"project_id": "proj_nowhere"})
    put("b", body={"hours": 25})
    said = shell("outbox", "flush")
    assert said.status == 1
    assert said.out == "0 delivered, 1 held, 1 dead\nWhy: outbox list --state held --state dead\n"
    assert "404" in shell("outbox", "list").out


def test_a_server_that_is_down_leaves_everything_where_it_is(shell, put, monkeypatch) -> None:
    put("a", destination="acc_sandbox@http://127.0.0.1:9")
    monkeypatch.setenv("KEITO_BASE_URL", "http://127.0.0.1:9")
    said = shell("outbox", "flush", "--timeout", "0.5")
    assert said.status == 1
    assert said.out.startswith("0 delivered, 1 pending\nWhat is pending or unsure is sent by the next relay")


def test_records_for_other_accounts_are_left_alone_and_said(shell, put, store) -> None:
    put("a", destination="acc_other@https://app.keito.io")
    put("b")
    assert shell("outbox", "flush").out == "1 delivered\n1 more for other accounts: their keys must send them.\n"
    assert store.find(key="a")[0].state is RecordState.PENDING


def test_without_a_key_nothing_is_tried(shell, put, monkeypatch) -> None:
    put("a")
    monkeypatch.delenv("KEITO_API_KEY")
    said = shell("outbox", "flush")
    assert (said.status, said.err) == (1, "keito: no api_key: pass api_key=... or set KEITO_API_KEY\n")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals there")
def test_at_a_terminal_a_bar_shows_how_far_it_is(put, sandbox, program_environment) -> None:
    import pty

    for number in range(20):
        put(f"k{number}")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "keito", "outbox", "flush"]
    environment = program_environment(TERM="xterm", COLUMNS="100")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower, env=environment, text=True) as process:
        out, _ = process.communicate(timeout=30)
    os.close(follower)
    shown = drained(leader)
    assert (process.returncode, out) == (0, "20 delivered\n")
    assert "Sending" in shown
    assert "20/20" in shown


def drained(leader: int) -> str:
    """What a terminal was told."""
    told = b""
    try:
        while piece := os.read(leader, 4096):
            told += piece
    except OSError:  # how Linux says that nobody writes any more
        pass
    finally:
        os.close(leader)
    return told.decode(errors="replace")
