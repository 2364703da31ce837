"""`python -m keito outbox`: looking into a store, and letting records go again."""

from __future__ import annotations

import json
import stat
import sys
from decimal import Decimal

import pytest

from keito.outbox.record import RecordKind
from keito.outbox.stored import RecordState

HELD = {"status_code": 401, "reason": "401 unauthorized: Invalid API key"}
DEAD = {"status_code": 400, "reason": "400 bad request: spent_date is required"}


class TestStatus:
    def test_an_empty_outbox_is_well(self, shell, sandbox, outbox_file) -> None:
        said = shell("outbox", "status", "--json")
        assert said.status == 0
        assert said.json == {
            "ok": True,
            "outbox": f"sqlite:///{outbox_file}",
            "records": {"pending": 0, "sending": 0, "unsure": 0, "delivered": 0, "held": 0, "dead": 0, "withdrawn": 0},
            "oldest_undelivered_s": None,
        }
        assert shell("outbox", "list").out == "Nothing waits: all that was stored is delivered.\n"

    def test_what_waits_is_counted_and_is_no_fault(self, shell, put) -> None:
        put("a")
        put("b")
        said = shell("outbox", "status", "--json")
        assert (said.status, said.json["records"]["pending"]) == (0, 2)
        assert 0 <= said.json["oldest_undelivered_s"] < 60
        assert "the oldest that waits has been there for" in shell("outbox", "status").out

    @pytest.mark.parametrize(
        ("state", "fields", "advice"),
        [(RecordState.HELD, HELD, "then outbox retry"), (RecordState.DEAD, DEAD, "outbox list --state dead")],
    )
    def test_what_is_held_or_dead_gives_status_1_and_advice(self, shell, put, state, fields, advice) -> None:
        put("a", state, **fields)
        said = shell("outbox", "status")
        assert said.status == 1
        (line,) = [line for line in said.out.splitlines() if line.startswith(state.value)]
        assert line.split()[1] == "1"
        assert line.endswith(advice)
        assert shell("outbox", "status", "--json").json["ok"] is False


class TestList:
    def test_shows_what_is_not_delivered_with_the_reason(self, shell, put) -> None:
        put("gone", RecordState.DELIVERED, api_id="te_1")
        put("run-expense-0", RecordState.DEAD, RecordKind.EXPENSE, **DEAD)
        put("run-outcome-0", kind=RecordKind.OUTCOME)
        put("run-time-0")
        lines = shell("outbox", "list").out.splitlines()
        assert [line.split()[:3] for line in lines] == [
            ["Key", "State", "Kind"],
            ["run-expense-0", "dead", "expense"],
            ["run-outcome-0", "pending", "outcome"],
            ["run-time-0", "pending", "time_entry"],
        ]
        assert "0.003526" in lines[1]
        assert lines[1].endswith("400 bad request: spent_date is required")
        assert "2 x ticket_resolved" in lines[2]
        assert "0.25 h" in lines[3]

    def test_quantities_are_written_out(self, shell, put) -> None:
        put("a", body={"hours": Decimal("0.000002")})
        put("b", kind=RecordKind.EXPENSE, body={"total_cost": 5})
        assert [line.split()[4] for line in shell("outbox", "list").out.splitlines()[1:]] == ["0.000002", "5"]

    def test_states_runs_and_pages(self, shell, put) -> None:
        put("a", RecordState.DELIVERED, api_id="te_1", run_id="run")
        put("b", run_id="run")
        put("c")
        keys = lambda *options: [record["key"] for record in shell("outbox", "list", "--json", *options).json]  # noqa: E731
        assert keys() == ["b", "c"]
        assert keys("--state", "delivered") == ["a"]
        assert keys("--state", "delivered", "--state", "pending") == ["a", "b", "c"]
        assert keys("--run", "run") == ["a", "b"]
        assert keys("--limit", "1") == ["b"]
        assert keys("--after", "b") == ["c"]
        assert shell("outbox", "list", "--limit", "1").out.endswith("There are more: --after b\n")

    def test_a_page_after_a_record_that_is_not_there_is_refused(self, shell, put, outbox_file) -> None:
        put("a")
        said = shell("outbox", "list", "--after", "b")
        assert (said.status, said.out) == (1, "")
        assert said.err == f"keito: --after: there is no record b in sqlite:///{outbox_file}\n"

    def test_an_unknown_state_is_refused_with_those_there_are(self, shell, sandbox) -> None:
        said = shell("outbox", "list", "--state", "lost")
        assert said.status == 2
        assert "'pending'" in said.err


class TestShow:
    def test_a_record_whole(self, shell, put, sandbox) -> None:
        put("run-time-0", RecordState.HELD, run_id="run", **HELD)
        (record,) = shell("outbox", "show", "run-time-0", "--json").json
        assert {name: record[name] for name in ("key", "kind", "state", "run_id", "status_code", "attempts")} == {
            "key": "run-time-0",
            "kind": "time_entry",
            "state": "held",
            "run_id": "run",
            "status_code": 401,
            "attempts": 1,
        }
        assert record["destination"] == f"acc_sandbox@{sandbox.url}"
        assert record["created_at"].endswith("Z")
        assert record["body"]["hours"] == 0.25
        said = shell("outbox", "show", "run-time-0").out
        assert "reason       401 unauthorized: Invalid API key\n" in said
        assert json.loads(said.partition("body\n")[2]) == record["body"]

    def test_the_records_of_a_run(self, shell, put) -> None:
        put("run-time-0", run_id="run")
        put("run-expense-0", kind=RecordKind.EXPENSE, run_id="run")
        assert [one["key"] for one in shell("outbox", "show", "run", "--json").json] == ["run-time-0", "run-expense-0"]

    def test_an_unknown_key_is_said(self, shell, sandbox, outbox_file) -> None:
        said = shell("outbox", "show", "x")
        assert (said.status, said.out) == (1, "")
        assert said.err == f"keito: there is no record or run x in sqlite:///{outbox_file}\n"


class TestRetry:
    def test_lets_go_what_is_held_and_leaves_the_dead(self, shell, put, store) -> None:
        put("a", RecordState.HELD, **HELD)
        put("b", RecordState.DEAD, **DEAD)
        assert shell("outbox", "retry").out.startswith("1 record is pending again.\n")
        assert (store.counts()[RecordState.PENDING], store.counts()[RecordState.DEAD]) == (1, 1)
        assert shell("outbox", "retry", "--dead", "--json").json == {"released": 1}
        assert shell("outbox", "retry").out == "0 records are pending again.\n"

    def test_named_records_only(self, shell, put, store) -> None:
        put("a", RecordState.DEAD, **DEAD)
        put("b", RecordState.DEAD, **DEAD)
        assert shell("outbox", "retry", "b", "--json").json == {"released": 1}
        assert store.find(key="a")[0].state is RecordState.DEAD

    def test_what_cannot_be_retried_is_said_and_nothing_is_changed(self, shell, put, store) -> None:
        put("a", RecordState.DEAD, **DEAD)
        put("b", RecordState.DELIVERED, api_id="te_1")
        for key, reason in (("x", "there is no record x"), ("b", "b is delivered, neither held nor dead")):
            said = shell("outbox", "retry", "a", key)
            assert (said.status, said.err) == (1, f"keito: {reason}; nothing was changed\n")
        assert store.find(key="a")[0].state is RecordState.DEAD


class TestExport:
    def test_one_json_object_a_line(self, shell, put, tmp_path) -> None:
        put("a", RecordState.DELIVERED, api_id="te_1")
        put("b", kind=RecordKind.EXPENSE)
        lines = [json.loads(line) for line in shell("outbox", "export").out.splitlines()]
        assert [(line["key"], line["api_id"]) for line in lines] == [("a", "te_1"), ("b", None)]
        assert lines[1]["body"]["total_cost"] == 0.003526
        path = tmp_path / "out.jsonl"
        assert shell("outbox", "export", "--state", "pending", "-o", str(path)).out == f"1 record written to {path}\n"
        assert json.loads(path.read_text(encoding="utf-8"))["key"] == "b"

    def test_more_records_than_are_read_at_once(self, shell, put, monkeypatch) -> None:
        monkeypatch.setattr("keito.cli.records._BATCH", 2)
        keys = [put(f"k{number}") for number in range(5)]
        assert [json.loads(line)["key"] for line in shell("outbox", "export").out.splitlines()] == keys

    def test_a_file_that_cannot_be_written_is_said(self, shell, sandbox, tmp_path) -> None:
        said = shell("outbox", "export", "-o", str(tmp_path / "nowhere" / "x"))
        assert (said.status, said.err) == (1, f"keito: {tmp_path / 'nowhere' / 'x'}: No such file or directory\n")


class TestUnusable:
    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("direct://", "KEITO_OUTBOX_URL is direct://: records are posted at once"),
            ("memory://", "KEITO_OUTBOX_URL is memory://: each process keeps its own records"),
            ("mysql://root:secret@host/x", "KEITO_OUTBOX_URL: a store of billing records is sqlite:///PATH"),
            ("sqlite:///", "names no file"),
        ],
    )
    @pytest.mark.parametrize("command", [("outbox", "status"), ("outbox", "list"), ("relay",)])
    def test_urls_that_no_command_can_use(self, shell, sandbox, monkeypatch, url, reason, command) -> None:
        monkeypatch.setenv("KEITO_OUTBOX_URL", url)
        said = shell(*command)
        assert (said.status, said.out) == (1, "")
        assert reason in said.err
        assert "secret" not in said.err

    def test_a_file_that_is_no_database(self, shell, sandbox, outbox_file) -> None:
        outbox_file.write_text("notes, long enough to be looked at as a database file would be")
        said = shell("outbox", "status")
        assert said.status == 1
        assert "it is no SQLite database" in said.err

    @pytest.mark.skipif(sys.platform == "win32", reason="folders have no modes there")
    def test_a_folder_that_cannot_be_written(self, shell, sandbox, outbox_file, monkeypatch) -> None:
        blocked = outbox_file.parent / "file"
        blocked.write_text("")
        monkeypatch.setenv("KEITO_OUTBOX_URL", f"sqlite:///{blocked}/outbox.db")
        said = shell("outbox", "status")
        assert (said.status, said.out) == (1, "")
        assert said.err.startswith(f"keito: outbox {blocked}/outbox.db: ")

    def test_the_url_may_be_an_option(self, shell, sandbox, tmp_path) -> None:
        path = tmp_path / "other.db"
        assert shell("outbox", "status", "--json", "--url", f"sqlite:///{path}").json["outbox"] == f"sqlite:///{path}"
        if sys.platform != "win32":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
