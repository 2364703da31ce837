"""The command line as operators use it: the real sandbox, and a store in a temporary file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keito.cli import main
from keito.sandbox import SandboxServer


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
