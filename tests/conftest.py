"""What every test of keito starts from: no credentials, settings or proxies of the machine that it runs on."""

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("keito", deadline=None, max_examples=60, database=None)
settings.load_profile("keito")

PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith("KEITO_") or name.lower() in PROXIES:
            monkeypatch.delenv(name)
    # An outbox of its own, made when it is used; nothing may ever get into that of whoever runs the tests.
    state = tmp_path_factory.getbasetemp() / f"state-{uuid.uuid4().hex}"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    monkeypatch.setenv("KEITO_OUTBOX_URL", f"sqlite:///{state / 'outbox.db'}")


@pytest.fixture(autouse=True)
def outside_of_any_call() -> "Iterator[None]":
    """All tests run in one context: a model call that a test leaves open for good is not around the others."""
    yield
    from keito.metering import current, framework_call

    framework_call._call.set(None)
    current._current.set(None)


@pytest.fixture
def program_environment() -> "Callable[..., dict[str, str]]":
    """The environment of a program in a subprocess: this one with some variables, in which every warning shows."""

    def environment(**variables: str) -> "dict[str, str]":
        return {**os.environ, "PYTHONWARNINGS": "always", **variables}

    return environment


@pytest.fixture
def sandbox_places(keito_sandbox: Any) -> "dict[str, str]":
    """The variables by which a program bills to the sandbox."""
    return {
        "KEITO_BASE_URL": keito_sandbox.url,
        "KEITO_API_KEY": keito_sandbox.api_key,
        "KEITO_ACCOUNT_ID": keito_sandbox.account_id,
        "KEITO_PROJECT_ID": keito_sandbox.project_id,
        "KEITO_TASK_ID": keito_sandbox.task_id,
        "KEITO_EXPENSE_CATEGORY_ID": keito_sandbox.expense_category_id,
    }


@pytest.fixture
def sandbox_environment(sandbox_places: Any, program_environment: "Callable[..., dict[str, str]]") -> Any:
    """The environment of a program that bills to the sandbox, with further variables."""
    return lambda **variables: program_environment(**{**sandbox_places, **variables})


@pytest.fixture(scope="session")
def postgres_server() -> "Iterator[str]":
    """The URL of a PostgreSQL server; without one on the machine the tests fail, and say what to install."""
    from benchmarks.postgres import postgres_server

    with postgres_server("fsync=off") as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> "Iterator[str]":
    """The URL of a store of its own for each test."""
    import psycopg

    schema = f"test_{uuid.uuid4().hex}"
    yield f"{postgres_server}{'&' if '?' in postgres_server else '?'}schema={schema}"
    with psycopg.connect(postgres_server) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
