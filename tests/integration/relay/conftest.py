"""Records, a store for them, deliveries, and what a Keito has in the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable

import pytest

from keito import Keito
from keito.outbox import BillingRecord, RecordKind, open_store
from keito.outbox.durable import OutboxDelivery
from keito.sandbox import SandboxServer

DAY = "2026-11-23"


@dataclass(frozen=True)
class Books:
    """What a Keito has of records."""

    client: Keito

    def keys(self) -> Counter[str]:
        """How often each record is there."""
        return Counter(row.metadata["keito"]["key"] for row in self._rows())

    def total(self) -> Decimal:
        """Hours and costs together, to the cent."""
        return sum(
            (Decimal(str(getattr(row, "hours", None) or getattr(row, "total_cost", 0))) for row in self._rows()),
            Decimal(0),
        )

    def has_exactly(self, records: Sequence[BillingRecord]) -> bool:
        """Whether each record is there once, nothing else is, and the sums are equal."""
        wanted = sum(
            (Decimal(each.body.get("hours", 0)) + each.body.get("total_cost", 0) for each in records), Decimal(0)
        )
        return self.keys() == Counter(each.key for each in records) and self.total() == wanted

    def _rows(self) -> list[Any]:
        entries = self.client.time_entries.list(source="agent", per_page=2000)
        return [*entries, *self.client.expenses.list(source="agent", per_page=2000)]


@pytest.fixture
def books(keito_client: Keito) -> Books:
    return Books(keito_client)


@pytest.fixture
def records(keito_sandbox: SandboxServer) -> Callable[..., list[BillingRecord]]:
    """Makes records, of which every third is an expense."""

    def make(count: int, prefix: str = "run", **body: Any) -> list[BillingRecord]:
        return [_record(keito_sandbox, f"{prefix}-{number}", number, body) for number in range(count)]

    return make


def _record(sandbox: SandboxServer, key: str, number: int, more: dict[str, Any]) -> BillingRecord:
    common = {
        "project_id": sandbox.project_id,
        "spent_date": DAY,
        "source": "agent",
        "metadata": {"keito": {"key": key}},
    }
    if number % 3 == 2:
        cost = Decimal("0.01") * (number + 1)
        body = {**common, "expense_category_id": sandbox.expense_category_id, "total_cost": cost, **more}
        return BillingRecord(key, RecordKind.EXPENSE, body)
    return BillingRecord(
        key, RecordKind.TIME_ENTRY, {**common, "task_id": sandbox.task_id, "hours": Decimal("0.25"), **more}
    )


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where a store of this test is."""
    return f"sqlite:///{tmp_path / 'outbox.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Any]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def make(url: str, keito_client: Keito) -> Iterator[Callable[..., OutboxDelivery]]:
    """Makes a delivery that is not patient."""
    made: list[OutboxDelivery] = []

    def make(client: Any = keito_client, **options: Any) -> OutboxDelivery:
        made.append(OutboxDelivery(url, client, **{"timeout": 1.0, "quiet": 0.5, **options}))
        return made[-1]

    yield make
    for delivery in made:
        delivery.close()


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits for a condition."""

    def wait(condition: Callable[[], object], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.01)

    return wait
