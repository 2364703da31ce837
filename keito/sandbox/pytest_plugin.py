"""Fixtures for the tests of programs that bill through Keito.

pytest loads this module in every session of an environment that has keito, so it imports nothing until a fixture
is used.
"""

from __future__ import annotations

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
def keito_sandbox(_keito_sandbox_server: SandboxServer) -> Iterator[SandboxServer]:
    """A Keito API on a free port of this machine, with nothing in it but the demo workspace."""
    _keito_sandbox_server.reset()
    yield _keito_sandbox_server
    # Also afterwards: a request that a fault still holds would otherwise reach into the next test.
    _keito_sandbox_server.reset()


@pytest.fixture
def keito_client(keito_sandbox: SandboxServer) -> Iterator[Keito]:
    """A client of the sandbox."""
    from keito import Keito  # noqa: PLC0415

    with Keito(
        api_key=keito_sandbox.api_key, account_id=keito_sandbox.account_id, base_url=keito_sandbox.url
    ) as client:
        yield client
