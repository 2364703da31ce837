"""`python -m keito doctor`."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from keito import Keito


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
    assert (said.status, said.json["ok"]) == (0, True)
    found = findings(said)
    assert {level for level, _, _ in found.values()} == {"ok"}
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
