from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from keito.billing import BillingPolicy, Outcome


def test_the_environment_is_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEITO_PROJECT_ID", "proj")
    monkeypatch.setenv("KEITO_TASK_ID", " task ")
    monkeypatch.setenv("KEITO_EXPENSE_CATEGORY_ID", "cat")
    monkeypatch.setenv("KEITO_AGENT_ID", "bot")
    monkeypatch.setenv("KEITO_USER_ID", "user")
    monkeypatch.setenv("KEITO_BILLABLE", "No")
    monkeypatch.setenv("KEITO_TIMEZONE", "Europe/Berlin")
    assert BillingPolicy.from_env() == BillingPolicy("proj", "task", "cat", "bot", "user", False, "Europe/Berlin")


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEITO_PROJECT_ID", "proj")
    monkeypatch.setenv("KEITO_TASK_ID", "task")
    monkeypatch.setenv("KEITO_AGENT_ID", "")
    policy = BillingPolicy.from_env(project_id="other", outcome=Outcome("done"))
    assert (policy.project_id, policy.task_id, policy.agent_id) == ("other", "task", None)
    assert policy.outcome == Outcome("done")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "project_id is not set.*KEITO_PROJECT_ID"),
        ({"project_id": "p"}, "task_id is not set.*KEITO_TASK_ID"),
        ({"project_id": "p", "task_id": "t", "expense_category_id": " "}, "KEITO_EXPENSE_CATEGORY_ID"),
        ({"project_id": "p", "task_id": "t", "agent_id": 7}, "agent_id.*7.*KEITO_AGENT_ID"),
        ({"project_id": "p", "task_id": "t", "billable": "often"}, "billable.*often.*KEITO_BILLABLE"),
        ({"project_id": "p", "task_id": "t", "timezone": "Mars/Base"}, "timezone.*Mars/Base.*KEITO_TIMEZONE"),
        ({"project_id": "p", "task_id": "t", "timezone": "../etc"}, "KEITO_TIMEZONE"),
        ({"project_id": "p", "task_id": "t", "outcome": "done"}, "outcome is a keito.billing.Outcome"),
    ],
)
def test_a_wrong_policy_says_what_to_set(fields: "dict[str, Any]", says: str) -> None:
    with pytest.raises(ValueError, match=says):
        BillingPolicy(**fields)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEITO_BILLABLE", "perhaps")
    with pytest.raises(ValueError, match=r"billable.*perhaps.*KEITO_BILLABLE"):
        BillingPolicy.from_env(project_id="p", task_id="t")


def test_a_policy_does_not_change() -> None:
    policy = BillingPolicy("p", "t")
    with pytest.raises(FrozenInstanceError):
        policy.project_id = "other"  # type: ignore[misc]
