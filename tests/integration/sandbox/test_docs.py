"""docs/sandbox.md says what the code does."""

import re
from pathlib import Path

import pytest

from keito.cli import parser
from keito.sandbox import SandboxServer
from keito.sandbox.choices import DECISIONS
from keito.sandbox.endpoints import ENDPOINTS

DOCS = Path(__file__).parents[3] / "docs" / "sandbox.md"


@pytest.fixture(scope="module")
def text():
    return DOCS.read_text(encoding="utf-8")


def test_every_choice_is_listed_and_no_other(text):
    section = text.partition("## Undocumented: our choice")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (.*) \|$", section, re.MULTILINE)
    assert dict(rows) == dict(DECISIONS)


def test_demo_workspace(text):
    ids = ("api_key", "manager_key", "member_key", "sync_key", "account_id", "client_id", "project_id", "task_id")
    for name in (*ids, "expense_category_id"):
        assert f"`{getattr(SandboxServer, name)}`" in text


def test_options(text):
    with pytest.raises(SystemExit):
        parser().parse_args(["sandbox", "--help"])
    arguments = vars(parser().parse_args(["sandbox"]))
    for name in arguments.keys() - {"run"}:
        assert f"| `--{name.replace('_', '-')} " in text


def test_members_of_the_server(text):
    members = {name for name in vars(SandboxServer) if not name.startswith("_")} - {"start", "stop"}
    for name in members:
        assert re.search(rf"`{name}\b", text), name


def test_control_routes(text, server, control):
    for path in re.findall(r"\| `(?:GET|POST) /_sandbox(/[^`]*)`", text):
        known = path.replace("{id}", "x")
        assert control.request("PUT", known).status_code == 405, path


def test_there_is_an_endpoint_for_each_documented_one():
    assert len(ENDPOINTS) == len({(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}) == 26
