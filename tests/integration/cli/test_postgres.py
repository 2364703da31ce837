"""The same commands on a PostgreSQL server."""

from __future__ import annotations

import pytest

from keito.outbox.destination import destination
from keito.outbox.record import BillingRecord, RecordKind
from keito.outbox.stored import RecordState, Settlement
from keito.outbox.stores.open_store import open_store

pytestmark = pytest.mark.timeout(120)

BODY = {
    "project_id": "proj_support",
    "task_id": "task_tickets",
    "spent_date": "2026-11-20",
    "hours": 1,
    "source": "agent",
}


def test_every_command_works_on_postgres(shell, sandbox, postgres_url: str, monkeypatch, keito_client) -> None:
    monkeypatch.setenv("KEITO_OUTBOX_URL", postgres_url)
    home = destination(sandbox.url, sandbox.account_id)
    store = open_store(postgres_url)
    for key in ("a", "b"):
        metadata = {"keito": {"key": key}}
        store.add([BillingRecord(key, RecordKind.TIME_ENTRY, {**BODY, "metadata": metadata})], home, run_id="run")
    (claimed,) = store.claim(home, "test", 1, 60.0)
    store.settle("test", [Settlement(claimed.key, RecordState.DEAD, status_code=400, reason="400 bad request")])
    store.close()
    assert shell("outbox", "status", "--json").json["records"]["dead"] == 1
    assert [one["key"] for one in shell("outbox", "list", "--json").json] == ["a", "b"]
    assert len(shell("outbox", "show", "run", "--json").json) == 2
    found = {one["check"]: one["level"] for one in shell("doctor", "--json").json["findings"]}
    assert (found["outbox"], found["dead records"]) == ("ok", "problem")
    assert shell("outbox", "retry", "a").status == 0
    assert shell("outbox", "flush").out == "2 delivered\n"
    assert len(shell("outbox", "export").out.splitlines()) == 2
    assert shell("outbox", "reprice").status == 0
    assert {entry.metadata["keito"]["key"] for entry in keito_client.time_entries.list()} == {"a", "b"}
