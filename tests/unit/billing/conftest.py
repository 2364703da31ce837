import threading
import time
from collections.abc import Callable, Sequence

import pytest

from keito.billing import BillingPolicy
from keito.outbox import BillingRecord, FlushReport


class Kept:
    """A delivery that keeps the records."""

    def __init__(self) -> None:
        self.records: list[BillingRecord] = []
        self.closed = False

    def deliver(self, records: Sequence[BillingRecord]) -> None:
        self.records += records

    def accept(self, records: Sequence[BillingRecord]) -> None:
        self.records += records

    def flush(self, timeout: float = 10.0) -> FlushReport:
        return FlushReport(delivered=len(self.records))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def policy() -> BillingPolicy:
    return BillingPolicy("proj", "task", "cat", agent_id="support-bot", timezone="UTC")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROJECT_ID", "TASK_ID", "EXPENSE_CATEGORY_ID", "AGENT_ID", "USER_ID", "BILLABLE", "TIMEZONE"):
        monkeypatch.delenv(f"KEITO_{name}", raising=False)
    for name in ("API_KEY", "ACCOUNT_ID", "BASE_URL"):
        monkeypatch.delenv(f"KEITO_{name}", raising=False)


@pytest.fixture
def eventually() -> "Callable[[Callable[[], bool]], None]":
    """Wait until something that another thread does has happened."""

    def wait(happened: "Callable[[], bool]") -> None:
        give_up = time.monotonic() + 10
        while not happened():
            assert time.monotonic() < give_up
            threading.Event().wait(0.005)

    return wait
