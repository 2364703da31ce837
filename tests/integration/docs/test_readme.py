"""Every Python block of the README and of docs/ runs as it stands, each by itself."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\nIt prints:\n\n^```text\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One Python block, and what the page says that it prints."""

    place: str
    code: str
    output: Optional[str]


def blocks():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            yield Block(f"{page.relative_to(ROOT)}:{line}", match["code"], match["output"])


def is_test(block):
    return "def test_" in block.code


def missing(block):
    """What a block uses that cannot be installed on this Python."""
    names = ("langchain_core", "genai_prices", "openai", "respx", "pytest_httpx", "crewai")
    return [name for name in names if re.search(rf"\b{name}\b", block.code) and not importlib.util.find_spec(name)]


@pytest.mark.parametrize("block", [pytest.param(block, id=block.place) for block in blocks() if not is_test(block)])
def test_a_block_runs_as_it_stands(block, documented_environment, capsys):
    if missing(block):
        pytest.skip(f"needs {missing(block)}")
    code = compile(block.code, block.place, "exec")
    exec(code, {"__name__": "__main__"})
    if block.output is not None:
        assert capsys.readouterr().out == block.output


def run_tests(chosen, folder, variables):
    """In one process for all of them: a pytest of its own for each would take a second each."""
    for block in chosen:
        name = re.sub(r"\W+", "_", block.place)
        (folder / f"test_{name}.py").write_text(block.code, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = --import-mode=importlib\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    environment = {**os.environ, **variables}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=100, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_blocks_of_tests_pass_also_where_the_readme_was_followed(tmp_path, variables):
    chosen = [block for block in blocks() if is_test(block) and not missing(block)]
    run_tests(chosen, tmp_path, variables)


def test_blocks_are_found():
    assert sum(block.place.startswith("README.md") for block in blocks()) > 10
