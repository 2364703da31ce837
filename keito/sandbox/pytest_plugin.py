"""Fixtures for the tests of programs that bill through Keito.

pytest loads this module in every session of an environment that has keito, so it imports nothing until a fixture
is used.
"""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keito import Keito
    from keito.sandbox import SandboxServer


@pytest.fixture(scope="session")
def _keito_sandbox_server() -> Iterator[SandboxServer]:
    from keito.sandbox import SandboxServer  # noqa: PLC0415

    with SandboxServer() as server:
        yield server


@pytest.fixture
def keito_outbox(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The outbox of a test that uses the sandbox: a file of its own, made when it is used.

    Give "direct://" in a fixture of this name where the tests are about something else: then records are posted at
    once, and there is nothing to flush.
    """
    return f"sqlite:///{tmp_path_factory.getbasetemp() / f'keito-{uuid.uuid4().hex}' / 'outbox.db'}"


@pytest.fixture
def keito_sandbox(
    _keito_sandbox_server: SandboxServer, keito_outbox: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SandboxServer]:
    """A Keito API on a free port of this machine, with nothing in it but the demo workspace.

    `KEITO_OUTBOX_URL` names the outbox of the test: what is left there must not get into that of the machine.
    """
    monkeypatch.setenv("KEITO_OUTBOX_URL", keito_outbox)
    _keito_sandbox_server.reset()
    yield _keito_sandbox_server
    # A request that a fault still holds, or a record that a relay still has, would reach into the next test.
    _keito_sandbox_server.reset()
    registry = sys.modules.get("keito.outbox.registry")
    if registry is not None:
        registry.registry.abandon(keito_outbox)
    _keito_sandbox_server.reset()


@pytest.fixture
def keito_client(keito_sandbox: SandboxServer) -> Iterator[Keito]:
    """A client of the sandbox."""
    from keito import Keito  # noqa: PLC0415

    with Keito(
        api_key=keito_sandbox.api_key, account_id=keito_sandbox.account_id, base_url=keito_sandbox.url
    ) as client:
        yield client
