"""The OpenAPI document and the server are compared by generated requests, right ones and wrong ones."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from keito.sandbox import SandboxServer
from keito.sandbox.openapi import document

schemathesis = pytest.importorskip("schemathesis")

from schemathesis.checks import CHECKS, load_all_checks  # noqa: E402

load_all_checks()

KNOWN_IDS = {
    "project_id": SandboxServer.project_id,
    "task_id": SandboxServer.task_id,
    "client_id": SandboxServer.client_id,
    "expense_category_id": SandboxServer.expense_category_id,
}


@pytest.fixture(scope="module")
def running():
    with SandboxServer() as server:
        yield server


@pytest.fixture
def stocked(running):
    """Each operation finds what it needs: others may have deleted it."""
    running.reset()
    running.seed(
        entries=[{"id": "te_1", "project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}],
        invoices=[{"id": "inv_1", "number": "INV-1", "issue_date": "2026-03-05"}],
    )
    return running


schema = schemathesis.openapi.from_dict(document())


@schema.hook
def filter_query(context, query):
    """Unknown query parameters are ignored by choice, and a nested value has no name in a query string."""
    declared = {parameter.name for parameter in context.operation.query}
    return all(name in declared and not isinstance(value, (list, dict)) for name, value in (query or {}).items())


@schema.hook
def map_body(context, body):
    """Generated ids name nothing; most requests would end as a 404 without this."""
    if isinstance(body, dict):
        usable = {name for name in KNOWN_IDS if isinstance(body.get(name), str) and 1 <= len(body[name]) <= 255}
        body = {**body, **{name: KNOWN_IDS[name] for name in usable}}
    return body


@schema.hook
def map_path_parameters(context, path_parameters):
    path = context.operation.path
    known = "te_1" if "time_entries" in path else "inv_1" if "invoices" in path else "cli_acme"
    return {"id": known} if path_parameters else path_parameters


@schema.parametrize()
@settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_answers_match_the_document(case, stocked):
    headers = {"Authorization": f"Bearer {stocked.api_key}", "Keito-Account-Id": stocked.account_id}
    # Rules beyond a schema (dates in order, one timer at a time) refuse well-formed requests too.
    excluded = [CHECKS.get_one("positive_data_acceptance")] if has_rules(case) else []
    case.call_and_validate(base_url=stocked.url, headers=headers, excluded_checks=excluded)


def has_rules(case):
    return case.method != "GET" or "reports" in case.path
