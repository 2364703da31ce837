"""A Keito with two clients, and what stands on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable

import pytest

from keito import Keito
from keito.billing import AgentBilling, BillingPolicy
from keito.sandbox import SandboxServer


@dataclass(frozen=True)
class Books:
    """What a Keito has of agents."""

    client: Keito

    @property
    def times(self) -> list[Any]:
        """Time entries that are no outcomes."""
        return [entry for entry in self._entries() if "outcome_type" not in (entry.metadata or {})]

    @property
    def outcomes(self) -> list[Any]:
        return [entry for entry in self._entries() if "outcome_type" in (entry.metadata or {})]

    @property
    def expenses(self) -> list[Any]:
        return list(self.client.expenses.list(source="agent"))

    def _entries(self) -> list[Any]:
        return list(self.client.time_entries.list(source="agent"))


@pytest.fixture
def books(keito_client: Keito) -> Books:
    return Books(keito_client)


@pytest.fixture
def second_project(keito_client: Keito) -> str:
    client = keito_client.clients.create(name="Second client")
    return keito_client.projects.create(client_id=client.id, name="Second").id


@pytest.fixture
def make(keito_sandbox: SandboxServer, keito_client: Keito) -> Iterator[Callable[..., AgentBilling]]:
    """Make a billing with these fields of a policy; none of them may have had an error of its own."""
    made: list[AgentBilling] = []

    def make(resolve: Any = None, **fields: Any) -> AgentBilling:
        policy = BillingPolicy(
            keito_sandbox.project_id, keito_sandbox.task_id, keito_sandbox.expense_category_id, timezone="UTC"
        )
        # Posted when the run ends: these tests are about what is posted.
        made.append(AgentBilling(policy, keito_client, resolve=resolve, deliver="on_exit_of_run", **fields))
        return made[-1]

    yield make
    assert [billing.guard.count for billing in made] == [0] * len(made)
    for billing in made:
        billing.close()
