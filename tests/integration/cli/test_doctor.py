"""`python -m keito doctor`."""

from __future__ import annotations

import sys
from datetime import datetime, timezone

import pytest

from keito import Keito
from keito.outbox.stored import RecordState
from keito.pricing.listed import how_to_install


def findings(said):
    """Level, text and advice of each finding, by what was looked at; of several the last."""
    return {one["check"]: (one["level"], one["text"], one["advice"] or "") for one in said.json["findings"]}


@pytest.fixture
def billed(keito_client: Keito):
    """Posts a time entry as an agent's run would, and gives its id."""

    def post(key: str) -> str:
        entry = keito_client.time_entries.create(
            project_id="proj_support",
            task_id="task_tickets",
            spent_date=datetime.now(timezone.utc).date(),
            hours=0.1,
            source="agent",
            metadata={"keito": {"key": key}},
        )
        return entry.id

    return post


def expense(client: Keito, **fields) -> None:
    client.expenses.create(
        project_id="proj_support",
        expense_category_id="cat_llm",
        spent_date=datetime.now(timezone.utc).date(),
        total_cost=0.01,
        source="agent",
        **fields,
    )


def test_all_is_well(shell, sandbox, keito_client) -> None:
    expense(keito_client)
    said = shell("doctor", "--json")
    assert [one for one in said.json["findings"] if one["level"] != "ok"] == []
    assert (said.status, said.json["ok"]) == (0, True)
    found = findings(said)
    assert found["project"][1] == "Support (proj_support)"
    assert found["task"][1] == "Tickets (task_tickets)"
    assert found["expense category"][1] == "LLM Usage (cat_llm) is on an expense of this account"
    assert "server's by less than" in found["clock"][1]


def test_for_people_each_problem_is_followed_by_what_to_do(shell, sandbox, monkeypatch) -> None:
    monkeypatch.setenv("KEITO_PROJECT_ID", "proj_nowhere")
    said = shell("doctor")
    assert said.status == 1
    lines = said.out.splitlines()
    place = lines.index("problem  project: the key's user sees no project proj_nowhere")
    assert lines[place + 1].strip() == (
        "assign the key's user to it, or set KEITO_PROJECT_ID to one of: Support (proj_support)"
    )
    assert "\x1b" not in said.out, "colours outside of a terminal"


@pytest.mark.parametrize(
    ("variable", "value", "check", "text", "advice"),
    [
        ("PROJECT_ID", "", "project", "KEITO_PROJECT_ID is not set", "one of: Support (proj_support)"),
        ("TASK_ID", "", "task", "KEITO_TASK_ID is not set", "one of: Tickets (task_tickets)"),
        ("TASK_ID", "task_x", "task", "there is no task task_x", "one of: Tickets (task_tickets)"),
        ("TIMEZONE", "Mars/Base", "policy", "got 'Mars/Base' (set timezone=... or KEITO_TIMEZONE)", "set it right"),
        ("BILLABLE", "maybe", "policy", "billable is true, false or not given; got 'maybe'", "set it right"),
        ("API_KEY", "", "credentials", "no api_key", ""),
        ("API_KEY", "kto_wrong", "reachable", "401", "set KEITO_API_KEY"),
        ("API_KEY", "kto_sandbox_sync", "key", "may not record time and expenses", "a key with full access"),
        ("BASE_URL", "http://127.0.0.1:9", "reachable", "no connection", "check the network"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(
    shell, sandbox, monkeypatch, variable: str, value: str, check: str, text: str, advice: str
) -> None:
    monkeypatch.setenv(f"KEITO_{variable}", value)
    said = shell("doctor", "--json")
    assert (said.status, said.json["ok"]) == (1, False)
    level, said_text, said_advice = findings(said)[check]
    assert level == "problem"
    assert text in said_text
    assert advice in said_advice


def test_an_unknown_project_does_not_hide_which_tasks_there_are(shell, sandbox, monkeypatch) -> None:
    monkeypatch.setenv("KEITO_PROJECT_ID", "proj_x")
    monkeypatch.setenv("KEITO_TASK_ID", "task_x")
    assert findings(shell("doctor", "--json"))["task"][2] == "set KEITO_TASK_ID to one of: Tickets (task_tickets)"


def test_without_a_price_list_it_warns(shell, sandbox, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    said = shell("doctor", "--json")
    level, text, advice = findings(said)["prices"]
    assert (said.status, level, advice) == (0, "warning", how_to_install())
    assert text.startswith("genai-prices is not installed here")


def test_what_is_archived_or_not_assigned_is_no_more_usable(shell, sandbox, monkeypatch) -> None:
    sandbox.seed(
        tasks=[{"id": "task_old", "name": "Old", "is_active": False}, {"id": "task_sales", "name": "Sales"}],
        projects=[
            {"id": "proj_old", "name": "Old", "is_active": False},
            {"id": "proj_sales", "name": "Sales", "task_ids": ["task_sales"]},
        ],
    )
    monkeypatch.setenv("KEITO_PROJECT_ID", "proj_old")
    monkeypatch.setenv("KEITO_TASK_ID", "task_old")
    found = findings(shell("doctor", "--json"))
    assert found["project"][:2] == ("problem", "Old (proj_old) is archived")
    assert found["task"][:2] == ("problem", "Old (task_old) is archived")
    monkeypatch.setenv("KEITO_PROJECT_ID", "proj_sales")
    monkeypatch.setenv("KEITO_TASK_ID", "task_tickets")
    level, text, advice = findings(shell("doctor", "--json"))["task"]
    assert (level, text) == ("problem", "Tickets (task_tickets) is not assigned to project proj_sales")
    assert advice == "assign it, or set KEITO_TASK_ID to one of: Sales (task_sales)"


def test_a_category_that_nobody_can_confirm_is_no_problem_and_others_are_offered(
    shell, sandbox, keito_client, monkeypatch
) -> None:
    assert findings(shell("doctor", "--json"))["expense category"][0] == "warning"
    expense(keito_client)
    monkeypatch.setenv("KEITO_EXPENSE_CATEGORY_ID", "cat_x")
    said = shell("doctor", "--json")
    level, text, advice = findings(said)["expense category"]
    assert (said.status, level) == (0, "warning")
    assert text.startswith("cat_x is on no expense")
    assert "LLM Usage (cat_llm)" in advice
    monkeypatch.delenv("KEITO_EXPENSE_CATEGORY_ID")
    assert "what model calls cost is not billed" in findings(shell("doctor", "--json"))["expense category"][1]


def test_a_wrong_clock_is_found(shell, sandbox, monkeypatch) -> None:
    from keito.cli.checks import server

    real = server.time.time
    monkeypatch.setattr(server.time, "time", lambda: real() - 7200)
    level, text, advice = findings(shell("doctor", "--json"))["clock"]
    assert (level, text) == ("problem", "this machine's clock is 2 h behind the server's")
    assert advice.startswith("set the clock")


def test_days_and_rounding_of_the_workspace_are_compared(shell, sandbox, monkeypatch) -> None:
    sandbox.seed(companies=[{"id": "acc_sandbox", "timezone": "Asia/Tokyo"}])
    level, text, advice = findings(shell("doctor", "--json"))["time zone"]
    assert (level, advice) == ("warning", "set KEITO_TIMEZONE=Asia/Tokyo")
    assert text == "days of the workspace are those of Asia/Tokyo, agents bill by UTC days"
    monkeypatch.setenv("KEITO_TIMEZONE", "Asia/Tokyo")
    assert "time zone" not in findings(shell("doctor", "--json"))


def test_two_entries_of_one_key_are_found_and_left_alone(shell, sandbox, keito_client, billed) -> None:
    twice = sorted([billed("run-time-0"), billed("run-time-0")])
    billed("other-time-0")
    said = shell("doctor", "--json")
    level, text, advice = findings(said)["duplicates"]
    assert (said.status, level) == (1, "problem")
    assert text == f"time entry run-time-0 is on Keito 2 times: {', '.join(twice)}"
    assert "never deletes" in advice
    assert keito_client.time_entries.list().total_entries in (None, 3)
    assert "duplicates" not in findings(shell("doctor", "--json", "--days", "0"))


def test_a_policy_file_names_the_ids(shell, sandbox, tmp_path) -> None:
    path = tmp_path / "keito.toml"
    path.write_text('[billing]\nproject_id = "proj_x"\ntask_id = "task_tickets"\n', encoding="utf-8")
    assert findings(shell("doctor", "--json", "--policy", str(path)))["project"][0] == "problem"
    path.write_text('[billing]\nproject = "proj_support"\n', encoding="utf-8")
    said = shell("doctor", "--policy", str(path))
    assert (said.status, "[billing] has no field project" in said.err) == (2, True)
    said = shell("doctor", "--policy", str(tmp_path / "nowhere.toml"))
    assert said.status == 2
    assert "No such file or directory" in said.err


@pytest.mark.parametrize("path", ["/api/v2/projects", "/api/v2/tasks", "/api/v2/expenses", "/api/v2/time_entries"])
def test_a_question_that_fails_is_a_finding_and_the_others_are_asked(shell, sandbox, path: str) -> None:
    sandbox.faults.add("status", method="GET", path=path, times=20, status=403)
    said = shell("doctor", "--json")
    levels = [one["level"] for one in said.json["findings"]]
    assert said.status == 1
    assert levels.count("ok") >= 4
    assert any("403" in one["text"] for one in said.json["findings"])


class TestOutbox:
    def test_what_is_stuck_is_a_problem_with_its_reasons_and_what_to_do(self, shell, put) -> None:
        refused = {"status_code": 404, "reason": "404 not found: Resource not found"}
        put("a", RecordState.HELD, **refused)
        put("b", RecordState.HELD, **refused)
        put("c", RecordState.DEAD, status_code=400, reason="400 bad request")
        said = shell("doctor", "--json")
        found = findings(said)
        assert said.status == 1
        assert found["held records"] == (
            "problem",
            "2 records are held: 404 not found: Resource not found (a and 1 more)",
            "put the reason right, then: outbox retry",
        )
        assert found["dead records"][1] == "1 record is dead: 400 bad request (c)"

    def test_what_waits_for_long_is_a_warning(self, shell, put, monkeypatch) -> None:
        put("a")
        assert findings(shell("doctor", "--json"))["waiting records"][0] == "ok"
        monkeypatch.setattr("keito.cli.checks.outbox._LONG", 0.0)
        level, text, advice = findings(shell("doctor", "--json"))["waiting records"]
        assert (level, text) == ("warning", "1 record is waiting, for up to 0 s")
        assert "python -m keito relay" in advice

    def test_records_of_other_accounts_are_named(self, shell, put) -> None:
        put("a", destination="acc_other@https://app.keito.io")
        level, text, _ = findings(shell("doctor", "--json"))["other accounts"]
        assert level == "warning"
        assert text.startswith("1 record is for other accounts or servers than acc_sandbox@http://127.0.0.1:")

    def test_duplicates_that_a_relay_found_are_said_and_only_once(self, shell, put, billed) -> None:
        put("old-time-0", RecordState.DELIVERED, api_id="te_1", reason="duplicate: te_1, te_2")
        twice = sorted([billed("new-time-0"), billed("new-time-0")])
        put("new-time-0", RecordState.DELIVERED, api_id=twice[0], reason=f"duplicate: {', '.join(twice)}")
        texts = [one["text"] for one in shell("doctor", "--json").json["findings"] if one["check"] == "duplicates"]
        assert texts == [
            f"time entry new-time-0 is on Keito 2 times: {', '.join(twice)}",
            "time entry old-time-0 is on Keito 2 times: te_1, te_2",
        ]

    def test_it_is_looked_at_also_without_credentials(self, shell, put, monkeypatch) -> None:
        put("a", RecordState.DEAD, status_code=400, reason="400 bad request")
        monkeypatch.delenv("KEITO_API_KEY")
        assert {"credentials", "outbox", "dead records"} <= findings(shell("doctor", "--json")).keys()

    @pytest.mark.parametrize(
        ("url", "level", "text"),
        [
            ("direct://", "warning", "what does not reach Keito at once is lost"),
            ("memory://", "warning", "what is not delivered when a process ends is lost"),
            ("mysql://root:secret@host/x", "problem", "a store of billing records is"),
            ("sqlite:////proc/nowhere/outbox.db", "problem", "/proc/nowhere"),
        ],
    )
    def test_one_that_cannot_be_used_is_a_finding(self, shell, sandbox, monkeypatch, url, level, text) -> None:
        monkeypatch.setenv("KEITO_OUTBOX_URL", url)
        said = shell("doctor", "--json")
        found = findings(said)["outbox"]
        assert found[0] == level
        assert text in found[1]
        assert "secret" not in said.out
