"""Stores to test, each of them on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable

import pytest

from keito.outbox import BillingRecord, RecordKind, open_store

HERE = "acc_1@http://127.0.0.1:1"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of its own for each test."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'outbox.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Any]:
    store = open_store(store_url)
    yield store
    store.close()


@pytest.fixture
def record() -> Callable[..., BillingRecord]:
    """Makes a record."""

    def make(key: str, kind: RecordKind = RecordKind.TIME_ENTRY, **body: Any) -> BillingRecord:
        facts = {"project_id": "proj_1", "task_id": "task_1", "spent_date": "2026-11-23", "hours": Decimal("0.25")}
        return BillingRecord(key, kind, {**facts, "metadata": {"keito": {"key": key}}, **body})

    return make
