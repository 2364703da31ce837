"""What a newcomer sees first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("langchain.agents")

EXAMPLE = Path(__file__).parents[2] / "examples" / "support_agent.py"


def test_the_demo_shows_the_agents_bill() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEITO_")}
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    rows = [line for line in ended.stdout.splitlines() if line.startswith("│")]
    assert [row.split("│")[1].strip() for row in rows] == ["Time entry", "Outcome", "Outcome", "Outcome", "LLM expense"]
    assert [row.split("│")[3].strip() for row in rows] == ["", "$0.99", "$0.99", "$0.99", "$0.003194"]
    assert "5 records delivered." in ended.stdout
