"""Which client a time entry is for, and in which currency that client pays: entries name their project only."""

from __future__ import annotations

from keito.core.page import Page
from keito.types.client import ClientModel
from keito.types.common import IdName
from keito.types.project import Project


class Places:
    """The clients of projects, taken from the lists of both.

    Args:
        currency: The one that all amounts are in, where the caller says so.
    """

    def __init__(self, currency: str | None) -> None:
        self._currency = currency
        self._clients: dict[str, IdName] = {}
        self._currencies: dict[str, str] = {}

    def take_projects(self, page: Page[Project]) -> None:
        """Note whose projects they are."""
        self._clients.update({project.id: project.client for project in page.items if project.client is not None})

    def take_clients(self, page: Page[ClientModel]) -> None:
        """Note in which currencies they pay."""
        self._currencies.update({client.id: client.currency for client in page.items if client.currency})

    def client(self, project_id: str | None) -> IdName | None:
        """Who pays for a project."""
        return self._clients.get(project_id or "")

    def currency(self, project_id: str | None) -> str | None:
        """In which currency the amounts of a project are."""
        if self._currency is not None:
            return self._currency
        client = self.client(project_id)
        return None if client is None else self._currencies.get(client.id)
