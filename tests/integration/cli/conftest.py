"""The command line as operators use it: the real sandbox, and a store in a temporary file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from keito.cli import main
from keito.outbox.destination import destination
from keito.outbox.record import BillingRecord, RecordKind
from keito.outbox.store import Store
from keito.outbox.stored import RecordState, Settlement
from keito.outbox.stores.open_store import open_store
from keito.sandbox import SandboxServer

TODAY = datetime.now(timezone.utc).date().isoformat()


@dataclass(frozen=True)
class Said:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Said:
        self._capsys.readouterr()
        status = main(arguments)
        captured = self._capsys.readouterr()
        assert "Traceback" not in captured.err
        assert "kto_" not in captured.out + captured.err, "a key was printed"
        return Said(status, captured.out, captured.err)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs commands, and looks that no key is in what they print."""
    return Shell(capsys)


@pytest.fixture
def outbox_file(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def sandbox(
    keito_sandbox: SandboxServer, outbox_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SandboxServer]:
    """The sandbox, and an environment for it and for a store of its own."""
    for name, value in (
        ("BASE_URL", keito_sandbox.url),
        ("API_KEY", keito_sandbox.api_key),
        ("ACCOUNT_ID", keito_sandbox.account_id),
        ("PROJECT_ID", keito_sandbox.project_id),
        ("TASK_ID", keito_sandbox.task_id),
        ("EXPENSE_CATEGORY_ID", keito_sandbox.expense_category_id),
        ("TIMEZONE", "UTC"),
        ("OUTBOX_URL", f"sqlite:///{outbox_file}"),
    ):
        monkeypatch.setenv(f"KEITO_{name}", value)
    return keito_sandbox


@pytest.fixture
def store(sandbox: SandboxServer, outbox_file: Path) -> Iterator[Store]:
    """The store that the commands look into."""
    opened = open_store(f"sqlite:///{outbox_file}")
    yield opened
    opened.close()


@pytest.fixture
def put(store: Store, sandbox: SandboxServer) -> Callable[..., str]:
    """Puts a record into the store as a relay would leave it, and gives its key."""

    def put_(
        key: str, state: RecordState = RecordState.PENDING, kind: RecordKind = RecordKind.TIME_ENTRY, **given: Any
    ):
        body: dict[str, Any] = {"project_id": "proj_support", "spent_date": TODAY, "source": "agent"}
        facts = {"keito": {"key": key, **given.pop("facts", {})}}
        if kind is RecordKind.EXPENSE:
            body |= {"expense_category_id": "cat_llm", "total_cost": Decimal("0.003526"), "metadata": facts}
        elif kind is RecordKind.OUTCOME:
            facts |= {"outcome_type": "ticket_resolved", "outcome_quantity": 2}
            body |= {"task_id": "task_tickets", "hours": 0, "metadata": facts}
        else:
            body |= {"task_id": "task_tickets", "hours": Decimal("0.25"), "metadata": facts}
        home = given.pop("destination", destination(sandbox.url, sandbox.account_id))
        body |= given.pop("body", {})
        store.add([BillingRecord(key, kind, body)], home, run_id=given.pop("run_id", None))
        if state is not RecordState.PENDING:
            while key not in {record.key for record in store.claim(home, "test", 1, 60.0)}:
                pass
            if state is not RecordState.SENDING:
                store.settle("test", [Settlement(key, state, **given)])
        return key

    return put_
