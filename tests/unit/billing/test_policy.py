import sys
from dataclasses import FrozenInstanceError
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from keito.billing import BillingPolicy, Budget, Outcome, Post
from keito.metering import AgentRun, RunStatus
from keito.pricing import ExchangeRate, ModelPrice, PriceTable


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
        ({"project_id": "p", "task_id": "t", "session_id": ""}, "session_id"),
        ({"project_id": "p", "task_id": "t", "rounding": "up_7"}, "rounding is.*up_7"),
        ({"project_id": "p", "task_id": "t", "rounding": 15}, "rounding is"),
        ({"project_id": "p", "task_id": "t", "minimum_minutes": -1}, "minimum_minutes"),
        ({"project_id": "p", "task_id": "t", "minimum_minutes": "x"}, "minimum_minutes"),
        ({"project_id": "p", "task_id": "t", "expense_per": "call"}, "expense_per is one of 'run', 'model'"),
        ({"project_id": "p", "task_id": "t", "rollup": "week"}, "rollup is one of None, 'hour', 'day'"),
        ({"project_id": "p", "task_id": "t", "cost_decimals": 7}, "cost_decimals is one of"),
        ({"project_id": "p", "task_id": "t", "cost_decimals": True}, "cost_decimals is one of"),
        ({"project_id": "p", "task_id": "t", "markup": 1.2}, "markup is.*exact"),
        ({"project_id": "p", "task_id": "t", "markup": "0"}, "markup is"),
        ({"project_id": "p", "task_id": "t", "markup": "a fifth"}, "markup is"),
        ({"project_id": "p", "task_id": "t", "exchange_rate": 0.9}, "exchange_rate is a keito.pricing"),
        ({"project_id": "p", "task_id": "t", "prices": {}}, "prices is a keito.pricing"),
        ({"project_id": "p", "task_id": "t", "post": True}, "post is a keito.billing"),
        ({"project_id": "p", "task_id": "t", "budget": 5}, "budget is a keito.billing.Budget"),
        ({"project_id": "p", "task_id": "t", "budget": [5]}, "budget is a keito.billing.Budget"),
        ({"project_id": "p", "task_id": "t", "notes": "{name"}, "notes is a text"),
        ({"project_id": "p", "task_id": "t", "notes": "{run.uid}"}, "notes is a text.*run.uid"),
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


def test_what_a_run_posts_depends_on_how_it_ended() -> None:
    policy = BillingPolicy("p", "t", post=Post(expense=False), abandoned=Post(time=False))
    assert policy.post_after(RunStatus.COMPLETED) == policy.post_after(RunStatus.PAUSED) == Post(expense=False)
    assert policy.post_after(RunStatus.FAILED) == Post(outcomes=False, expense=False, billable=False)
    assert policy.post_after(RunStatus.ABANDONED) == Post(time=False, expense=False)


def test_a_run_that_names_its_project_or_task_is_billed_there() -> None:
    policy = BillingPolicy("p", "t")
    assert policy.routed(AgentRun()) is policy
    assert policy.routed(AgentRun(project_id="q")) == BillingPolicy("q", "t")
    assert policy.routed(AgentRun(task_id="u")) == BillingPolicy("p", "u")


TOML = """
[billing]
project_id = "proj"
task_id = "task"
expense_category_id = "cat"
timezone = "Europe/Berlin"
rounding = "up_15"
minimum_minutes = 6
rollup = "day"
cost_decimals = 2
markup = 1.20
notes = "{name} for {tenant}"
prices = "prices.toml"

[billing.post]
outcomes = false

[billing.failed]
time = false

[billing.outcome]
type = "ticket_resolved"
unit_price = 0.99

[billing.exchange_rate]
currency = "EUR"
rate = 0.92

[[billing.budget]]
max_cost = 2.50
per = "day"
stop = true

[[billing.budget]]
max_calls = 100
"""

needs_toml = pytest.mark.skipif(sys.version_info < (3, 11), reason="needs tomllib")


@needs_toml
def test_a_toml_file_is_a_policy(tmp_path: Path) -> None:
    prices = '[[prices]]\nmodel = "house-llm"\ninput = 2.0\n'
    (tmp_path / "prices.toml").write_text(prices)
    (tmp_path / "keito.toml").write_text(TOML)
    policy = BillingPolicy.from_toml(tmp_path / "keito.toml", task_id="mine")
    assert policy == BillingPolicy(
        "proj",
        "mine",
        "cat",
        timezone="Europe/Berlin",
        rounding="up_15",
        minimum_minutes=6,
        rollup="day",
        cost_decimals=2,
        markup=Decimal("1.20"),
        notes="{name} for {tenant}",
        prices=PriceTable([ModelPrice("house-llm", input=Decimal("2.0"))]),
        post=Post(outcomes=False),
        failed=Post(time=False, outcomes=False, billable=False),
        outcome=Outcome("ticket_resolved", "0.99"),
        exchange_rate=ExchangeRate("EUR", Decimal("0.92")),
        budget=[Budget(max_cost="2.50", per="day", stop=True), Budget(max_calls=100)],
    )


@needs_toml
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[billing", "no TOML"),
        ("x = 1", r"no table \[billing\]"),
        ("billing = 5", r"no table \[billing\]"),
        ("[billing]\nproject_id = 'p'\ntask_id = 't'\nprojct = 'x'", "has no field projct"),
        ("[billing]\nproject_id = 'p'", "task_id is not set"),
        ("[billing.budget]\nmax_costs = 5", r"\[billing.budget\]"),
        ("[billing.exchange_rate]\ncurrency = 'EUR'", r"\[billing.exchange_rate\]"),
        ("[billing.post]\ntimes = true", r"\[billing.post\]"),
        ("[billing]\noutcome = 'x'", r"\[billing.outcome\]"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "keito.toml").write_text(text)
    with pytest.raises(ValueError, match=says):
        BillingPolicy.from_toml(tmp_path / "keito.toml")


@needs_toml
def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        BillingPolicy.from_toml(tmp_path / "keito.toml")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib")
def test_a_file_may_name_prices_in_json_and_evidence_with_fractions(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text('{"prices": [{"model": "acme-chat-1", "input": 0.5}]}')
    (tmp_path / "keito.toml").write_text(
        '[billing]\nproject_id = "p"\ntask_id = "t"\nprices = "own.json"\n'
        '[billing.outcome]\ntype = "done"\nevidence = {score = 0.9}\n'
    )
    policy = BillingPolicy.from_toml(tmp_path / "keito.toml")
    assert policy.prices == PriceTable([ModelPrice("acme-chat-1", input=Decimal("0.5"))])
    assert policy.outcome == Outcome("done", evidence={"score": 0.9})
