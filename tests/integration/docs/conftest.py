"""The documentation is tested by running it, on a sandbox, as a reader would."""

from __future__ import annotations

import os

import pytest

KEITO_VARIABLES = {
    "KEITO_API_KEY": "kto_sandbox",
    "KEITO_ACCOUNT_ID": "acc_sandbox",
    "KEITO_PROJECT_ID": "proj_support",
    "KEITO_TASK_ID": "task_tickets",
    "KEITO_EXPENSE_CATEGORY_ID": "cat_llm",
    "KEITO_AGENT_ID": "support-agent",
}


@pytest.fixture
def variables(keito_sandbox):
    """The variables that the README tells its reader to set."""
    return {"KEITO_BASE_URL": keito_sandbox.url, **KEITO_VARIABLES}


@pytest.fixture
def documented_environment(monkeypatch, variables):
    """An environment in which the README was followed."""
    for name in [name for name in os.environ if name.startswith("KEITO_")]:
        monkeypatch.delenv(name)
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "false")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
