"""The examples run as they are: on a Keito that they start, and on one that the environment names."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAYS = {
    "agent_report": [
        "Acme       1.50 h  1 of 2 outcomes    137.97 USD",
        "Umlaut     0.00 h  2 of 2 outcomes    12.50 EUR",
        "137.97 USD, 12.50 EUR",
        "in no amount: 1",
    ],
    "async_client": ["40 entries recorded", "40 on 4 pages; the newest: Document", "4.0 hours", "deleted again"],
    "custom_agent": ["Ada Reyes qualified", "Cy Moss qualified", "3 leads looked at", "$0.00063"],
    "errors": [
        "409 running_timer_conflict",
        "hours: 25 is refused",
        "404 not found",
        "401 unauthorized",
        "(attempt 3)",
        "was it sent? False",
    ],
    "fastapi_stream": [f"conversation-{number}: 1 outcome at $0.05, 1,200 tokens in" for number in (1, 2, 3)],
    "langchain_batch": ["acme    3 invoices   LLM cost $0.001380", "globex  2 invoices   LLM cost $0.000920"],
    "langchain_chain": ["Où est la gare ?", "3 records delivered", "text_translated: $0.20"],
    "langgraph_approval": ["Time entry  paused     0.2 s", "Time entry  completed  0.0 s", "email_sent  $1.50"],
    "invoice": ["308.88", "169.84", "1067.90", "is open now", "403 forbidden"],
    "multi_tenant": [
        "acme    3 tickets at $0.99   LLM cost $0.010950",
        "globex  2 tickets at $1.50   LLM cost $0.008760",
    ],
    "manual_billing": ["0.25 h  Triage", "Ticket 4822 resolved", "$0.0042", "Project     Support, billable"],
    "otel_openai_agents": ["Ticket 4821: 1200 tokens in, $0.000460", "ticket_resolved"],
    "otel_pydantic_ai": ["invoke_agent support-agent: 2400 tokens in, $0.000610", "Ticket 4821 resolved"],
    "support_agent": ["Ticket 4821 resolved", "5 records delivered."],
}
NEEDS = {
    "fastapi_stream": "langchain",
    "langchain_batch": "langchain",
    "langchain_chain": "langchain",
    "langgraph_approval": "langgraph",
    "otel_openai_agents": "agents",
    "otel_pydantic_ai": "pydantic_ai",
    "custom_agent": "genai_prices",
    "multi_tenant": "genai_prices",
    "support_agent": "langchain",
}


def start(name, **variables):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("KEITO_", "LANGSMITH_", "LANGCHAIN_"))}
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / f"{name}.py")]
    environment = {**clean, "PYTHONIOENCODING": "utf-8", **variables}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment
    )


def ended(process):
    """What it printed, and its complaints, and its exit status."""
    with process:
        try:
            return (*process.communicate(timeout=60), process.returncode)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def alone():
    """All examples, run at the same time without any variable set."""
    names = [name for name in SAYS if name not in NEEDS or importlib.util.find_spec(NEEDS[name])]
    running = {name: start(name) for name in names}
    return {name: ended(process) for name, process in running.items()}


def test_every_example_is_tested():
    elsewhere = "crewai_"  # in an environment of their own, with the other tests of CrewAI
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert {name for name in names if not name.startswith(elsewhere)} == {
        *SAYS,
        "local_keito",
        "offline_model",
        "local_llm",
    }


@pytest.mark.parametrize("name", sorted(SAYS))
def test_it_runs_as_it_is(name, alone):
    if name not in alone:
        pytest.skip(f"needs {NEEDS[name]}")
    output, complaints, status = alone[name]
    assert (status, complaints) == (0, "")
    assert "a Keito on this machine (http://127.0.0.1:" in output
    assert [text for text in SAYS[name] if text not in output] == []


@pytest.mark.parametrize("name", ["manual_billing", "async_client"])
def test_it_uses_the_account_of_the_environment(name, keito_sandbox, variables):
    output, complaints, status = ended(start(name, **variables))
    assert (status, complaints) == (0, "")
    assert f"the account acc_sandbox on {keito_sandbox.url}" in output
    assert [text for text in SAYS[name] if text not in output] == []
    assert keito_sandbox.requests("POST", "/api/v2/time_entries")


def test_it_says_what_else_an_account_needs():
    output, complaints, status = ended(start("manual_billing", KEITO_API_KEY="kto_own"))
    assert (output, status) == ("", 2)
    assert complaints.count("\n") == 1
    assert "also set KEITO_ACCOUNT_ID, KEITO_PROJECT_ID, KEITO_TASK_ID, KEITO_EXPENSE_CATEGORY_ID." in complaints


def test_it_says_in_one_line_that_keito_is_away():
    away = {"KEITO_API_KEY": "kto_own", "KEITO_ACCOUNT_ID": "acc_own", "KEITO_BASE_URL": "http://127.0.0.1:9"}
    place = {"KEITO_PROJECT_ID": "p", "KEITO_TASK_ID": "t", "KEITO_EXPENSE_CATEGORY_ID": "c"}
    _, complaints, status = ended(start("manual_billing", **away, **place))
    assert status == 1
    assert complaints.startswith("Keito: GET ")
    assert complaints.count("\n") == 1


@pytest.mark.skipif(not importlib.util.find_spec("langchain"), reason="needs langchain")
def test_the_agent_ends_its_work_with_a_wrong_key(variables):
    output, complaints, status = ended(start("support_agent", **{**variables, "KEITO_API_KEY": "kto_mistyped"}))
    assert status == 1
    assert "All three tickets are resolved." in output
    assert "FlushReport(delivered=0" in output
    assert "WARNING: " in complaints
    assert "401" in complaints
    assert "Traceback" not in complaints


def test_the_agent_says_what_to_install(tmp_path):
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError(\"No module named 'rich'\", name='rich')\n")
    output, complaints, status = ended(start("support_agent", PYTHONPATH=str(tmp_path)))
    assert (output, status) == ("", 2)
    assert complaints.count("\n") == 1
    assert 'pip install -e ".[examples]"' in complaints


def test_another_account_does_not_reach_into_the_sandbox():
    output, complaints, status = ended(start("custom_agent", KEITO_API_KEY="", KEITO_USER_ID="usr_of_another_account"))
    assert (status, complaints) == (0, "")
    assert "a Keito on this machine" in output


def test_it_says_what_to_install(tmp_path):
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError(\"No module named 'uvicorn'\", name='uvicorn')\n")
    output, complaints, status = ended(start("manual_billing", PYTHONPATH=str(tmp_path)))
    assert (output, status) == ("", 2)
    assert complaints.count("\n") == 1
    assert 'pip install "keito[sandbox]"' in complaints


def test_the_readme_shows_what_the_demo_prints(alone):
    if "support_agent" not in alone:
        pytest.skip("needs langchain")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"^```text\n(A LangChain agent.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert masked(shown[1]) == masked(alone["support_agent"][0])


def masked(text):
    """The lines without figures, in any order: tools run in threads."""
    return sorted(line for line in (re.sub(r"[\d.,]+|[ ━─]+", " ", line).strip() for line in text.splitlines()) if line)
