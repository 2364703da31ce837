"""The examples run as they are, on a Keito that they start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"
SAYS = {
    "crewai_clients": [
        "acme    LLM cost $0.002400   Research on anvils, Research on rope",
        "globex  LLM cost $0.001440",
    ],
    "crewai_flow": ["Newsletter: 4,050 tokens", "Newsletter sent", "Analyst: 1,200 in, 150 out"],
    "crewai_research": ["2,700 tokens (CrewAI itself counts 5,400)", "$25.00    Report on bees", "$0.001200"],
    "crewai_stream": ["The writer has done it.", "Streamed text: 1,350 tokens", "$0.000600"],
}


GUARD = """
import sys

def watch(event, args):
    if event == "socket.getaddrinfo" and str(args[0]) not in {"127.0.0.1", "::1", "localhost", "None"}:
        print(f"it left this machine: {args[0]}", file=sys.stderr)

sys.addaudithook(watch)
"""


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("crewai_*.py")} == {*SAYS, "crewai_offline"}


@pytest.mark.parametrize("name", sorted(SAYS))
def test_it_runs_as_it_is_and_stays_on_this_machine(name: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(GUARD)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KEITO_", "CREWAI_", "OTEL_"))}
    clean["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *filter(None, [clean.get("PYTHONPATH")])])
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=clean, cwd=tmp_path, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "Warning" not in line]) == (0, []), (
        done.stderr
    )
    assert [text for text in SAYS[name] if text not in done.stdout] == []
    assert {path.name for path in tmp_path.iterdir()} <= {"sitecustomize.py", "__pycache__"}, "it left something behind"
