"""The fixtures that keito gives to its users' tests, tried in a pytest of their own."""

import subprocess
import sys

import pytest

# Plugins of this environment that load slowly, and modules with which ours must not be charged.
HEAVY_PLUGINS = ("schemathesis", "langsmith_plugin", "respx", "pytest_httpx", "hypothesispytest")


@pytest.fixture
def run_pytest(tmp_path):
    """Runs a test file as a user would, in another process and directory."""

    def run(source, *options):
        (tmp_path / "test_users.py").write_text(source)
        others = [part for name in ("cacheprovider", *HEAVY_PLUGINS) for part in ("-p", f"no:{name}")]
        command = [sys.executable, "-m", "pytest", "-q", "-W", "error", *others, *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)

    return run


USERS_TESTS = """
import httpx
import pytest

ENTRY = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}


@pytest.fixture
def api(keito_sandbox):
    headers = {
        "Authorization": f"Bearer {keito_sandbox.api_key}",
        "Keito-Account-Id": keito_sandbox.account_id,
    }
    with httpx.Client(base_url=f"{keito_sandbox.url}/api/v2", headers=headers) as client:
        yield client


@pytest.mark.parametrize("number", range(3))
def test_starts_empty(api, keito_sandbox, number):
    assert api.get("/time_entries").json()["total_entries"] == 0
    assert len(keito_sandbox.requests()) == 1
    assert api.post("/time_entries", json=ENTRY).status_code == 200
    keito_sandbox.faults.add("status", status=503, times=0)
    keito_sandbox.configure(rounding="up_15")
"""


@pytest.mark.parametrize("options", [(), ("-p", "no:randomly"), ("-p", "xdist.plugin", "-n", "2")])
def test_each_test_has_a_fresh_workspace(run_pytest, options):
    if "xdist.plugin" in options:
        pytest.importorskip("xdist")
        options = ("-n", "2")
    result = run_pytest(USERS_TESTS, *options)
    assert "3 passed" in result.stdout, result.stdout + result.stderr


def test_client(run_pytest):
    source = """
def test_client(keito_client, keito_sandbox):
    assert keito_client.users.me().id == keito_sandbox.user_id
    keito_client.time_entries.create(
        project_id=keito_sandbox.project_id, task_id=keito_sandbox.task_id, spent_date="2026-03-05", hours=1
    )
    assert next(keito_client.time_entries.list()).hours == 1
    assert keito_sandbox.requests(method="POST")[0]["body"]["hours"] == 1
"""
    result = run_pytest(source)
    assert "1 passed" in result.stdout, result.stdout + result.stderr


def test_fixtures_are_listed(run_pytest):
    result = run_pytest("", "--fixtures")
    assert "keito_sandbox" in result.stdout
    assert "keito_client" in result.stdout


def test_nothing_is_loaded_until_a_fixture_is_used(run_pytest):
    source = """
import sys


def test_modules():
    assert "keito.sandbox.pytest_plugin" in sys.modules
    loaded = {"fastapi", "uvicorn", "starlette", "keito.client", "keito.sandbox.server"} & set(sys.modules)
    assert not loaded
"""
    result = run_pytest(source)
    assert "1 passed" in result.stdout, result.stdout + result.stderr


def test_missing_extra_is_said_where_the_fixture_is_used(run_pytest):
    source = """
import sys

sys.modules["uvicorn"] = None


def test_plain():
    pass


def test_sandbox(keito_sandbox):
    pass
"""
    result = run_pytest(source)
    assert "1 passed, 1 error" in result.stdout, result.stdout + result.stderr
    assert 'pip install "keito[sandbox]"' in result.stdout
