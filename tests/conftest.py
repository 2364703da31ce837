"""What every test of keito starts from: no credentials, settings or proxies of the machine that it runs on."""

import os
from collections.abc import Callable

import pytest
from hypothesis import settings

settings.register_profile("keito", deadline=None, max_examples=60, database=None)
settings.load_profile("keito")

PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("KEITO_") or name.lower() in PROXIES:
            monkeypatch.delenv(name)


@pytest.fixture
def program_environment() -> "Callable[..., dict[str, str]]":
    """The environment of a program in a subprocess: this one with some variables, in which every warning shows."""

    def environment(**variables: str) -> "dict[str, str]":
        return {**os.environ, "PYTHONWARNINGS": "always", **variables}

    return environment
