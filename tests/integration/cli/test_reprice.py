"""`python -m keito outbox reprice`: what had no price is billed later, and once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keito.billing import AgentBilling, BillingPolicy
from keito.billing.records import records_for
from keito.metering import AgentRun
from keito.outbox.destination import destination
from keito.outbox.stored import RecordState

pytest.importorskip("genai_prices")
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "own.json"
    prices = [{"model": "house-1", "provider": "house", "input": "0.5", "output": 2}]
    path.write_text(json.dumps({"version": "2026-11", "prices": prices}), encoding="utf-8")
    return str(path)


@pytest.fixture
def billed(store, sandbox, shell):
    """Bills a run whose model has no price, and gives its id."""

    def bill(model: str = "house-1", *, delivered: bool = True, output_tokens: int = 100_000) -> str:
        run = AgentRun("Ticket 4821", agent_id="support-bot")
        run.record_llm_call(provider="house", model=model, input_tokens=1_000_000, output_tokens=output_tokens)
        run.end(elapsed_ns=10**9)
        records = records_for(run, BillingPolicy.from_env())
        store.add(records, destination(sandbox.url, sandbox.account_id), run_id=run.uid)
        if delivered:
            assert shell("outbox", "flush").status == 0
        return run.uid

    return bill


def test_the_missing_expense_is_posted_once_and_names_what_it_corrects(
    shell, billed, table, keito_client, store
) -> None:
    run = billed()
    assert list(keito_client.expenses.list()) == []
    said = shell("outbox", "reprice", "--table", table)
    assert said.status == 0
    assert said.out.splitlines()[0].split() == ["Corrects", "Project", "Day", "Cost", "Currency", "Notes"]
    assert said.out.endswith("1 expense stored; a relay, an agent or outbox flush posts them.\n")
    for _ in range(2):
        assert shell("outbox", "flush").status == 0
        assert shell("outbox", "reprice", "--table", table, "--json").json["stored"] == []
    (expense,) = keito_client.expenses.list()
    assert expense.total_cost == 0.7
    assert expense.metadata["keito"]["corrects"] == f"{run}-time-0"
    assert expense.metadata["run"]["id"] == run
    assert [one.key for one in store.find(run_id=run)] == [f"{run}-time-0", f"{run}-time-0-reprice"]


def test_json_says_what_was_stored(shell, billed, table) -> None:
    run = billed()
    said = shell("outbox", "reprice", "--table", table, "--json")
    (entry,) = shell("outbox", "show", f"{run}-time-0", "--json").json
    assert said.json == {
        "dry_run": False,
        "stored": [
            {
                "key": f"{run}-time-0-reprice",
                "corrects": f"{run}-time-0",
                "project_id": "proj_support",
                "spent_date": entry["spent_date"],
                "total_cost": 0.7,
                "currency": "USD",
                "notes": "house-1: 1,000,000 input + 100,000 output tokens",
            }
        ],
        "waiting": [],
    }


def test_a_dry_run_stores_nothing(shell, billed, table, store) -> None:
    billed()
    before = store.counts()
    said = shell("outbox", "reprice", "--table", table, "--dry-run")
    assert said.out.endswith("1 expense would be stored; nothing was.\n")
    assert store.counts() == before


def test_what_still_has_no_price_is_named_with_status_1(shell, billed, table) -> None:
    run = billed("other-1")
    said = shell("outbox", "reprice", "--table", table)
    assert said.status == 1
    assert "1 time entry still waits:" in said.out
    assert "1        other-1: unknown model" in said.out
    assert shell("outbox", "reprice", "--table", table, "--json").json["waiting"] == [
        {"key": f"{run}-time-0", "reason": "other-1: unknown model", "models": ["other-1"]}
    ]


def test_what_is_not_delivered_is_left_for_another_time(shell, billed, table) -> None:
    billed(delivered=False)
    assert shell("outbox", "reprice", "--table", table).out.startswith("0 expenses stored")


def test_what_was_voided_is_not_billed_later(shell, billed, table, sandbox, keito_client, store) -> None:
    deleted, locked = billed(), billed()
    (entry,) = [one for one in keito_client.time_entries.list() if one.metadata["run"]["id"] == locked]
    sandbox.set_state("time_entries", entry.id, locked=True)
    billing = AgentBilling()
    try:
        assert billing.void(deleted, reason="wrong client").deleted == (f"{deleted}-time-0",)
        assert billing.void(locked, reason="wrong client").left == (f"{locked}-time-0",)
    finally:
        billing.close()
    assert shell("outbox", "reprice", "--table", table, "--json").json["stored"] == []


def test_what_replaces_a_repriced_entry_is_not_repriced_again(shell, billed, table, store) -> None:
    run = billed()
    assert len(shell("outbox", "reprice", "--table", table, "--json").json["stored"]) == 1
    for end in ("-r", "-r-r"):
        billing = AgentBilling()
        try:
            assert f"{run}-time-0{end}" in billing.replace(run, reason="other notes", notes="Ticket 4822").posted
            billing.flush()
        finally:
            billing.close()
        assert store.find(key=f"{run}-time-0{end}")[0].state is RecordState.DELIVERED
        assert shell("outbox", "reprice", "--table", table, "--json").json["stored"] == []


def test_a_policy_file_gives_prices_markup_and_category(shell, billed, table, tmp_path, monkeypatch) -> None:
    billed()
    monkeypatch.delenv("KEITO_EXPENSE_CATEGORY_ID")
    said = shell("outbox", "reprice", "--table", table)
    assert (said.status, "KEITO_EXPENSE_CATEGORY_ID is not set" in said.out) == (1, True)
    path = tmp_path / "keito.toml"
    path.write_text('[billing]\nexpense_category_id = "cat_llm"\nmarkup = "1.20"\n', encoding="utf-8")
    said = shell("outbox", "reprice", "--policy", str(path), "--table", table, "--project", "proj_other", "--json")
    assert said.json["stored"] == []
    said = shell("outbox", "reprice", "--policy", str(path), "--table", table, "--json")
    assert said.json["stored"][0]["total_cost"] == 0.84


@pytest.mark.parametrize(
    ("content", "reason"),
    [('{"prices": [{"model": "m", "input": -1}]}', "it must be 0 or more"), (None, "cannot be read")],
)
def test_a_wrong_table_is_an_error_of_the_argument(shell, sandbox, tmp_path, content, reason) -> None:
    path = tmp_path / "wrong.json"
    if content:
        path.write_text(content, encoding="utf-8")
    said = shell("outbox", "reprice", "--table", str(path))
    assert (said.status, reason in said.err, "--table" in said.err) == (2, True, True)


def test_a_wrong_policy_is_said(shell, billed, tmp_path) -> None:
    billed()
    path = tmp_path / "keito.toml"
    path.write_text("[billing]\nmarkup = -1\n", encoding="utf-8")
    said = shell("outbox", "reprice", "--policy", str(path))
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("keito: markup is a positive, exact number")


class TestCheck:
    """`prices check --outbox`: whether prices are missing, or a table has them."""

    def test_models_without_a_price_are_named(self, shell, billed, table) -> None:
        billed()
        billed()
        said = shell("prices", "check", "--outbox")
        assert (said.status, said.out) == (1, "house house-1 (2 calls in the outbox): no price: unknown model\n")
        said = shell("prices", "check", table, "--outbox")
        assert said.status == 0
        assert said.out.endswith("house house-1 (2 calls in the outbox): own prices 2026-11\n")

    def test_none(self, shell, sandbox) -> None:
        said = shell("prices", "check", "--outbox")
        assert (said.status, said.out) == (0, "No model in the outbox lacked a price.\n")

    def test_an_outbox_that_cannot_be_read_is_said(self, shell, sandbox, monkeypatch) -> None:
        monkeypatch.setenv("KEITO_OUTBOX_URL", "mysql://root:secret@host/x")
        said = shell("prices", "check", "--outbox")
        assert (said.status, said.out) == (1, "")
        assert said.err.startswith("keito prices check: a store of billing records is")
        assert "secret" not in said.err
