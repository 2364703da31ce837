"""The page about CrewAI is run as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[3] / "docs" / "crewai.md"
FENCE = re.compile(r"^```python\n(.*?)^```\n\nIt prints:\n\n^```text\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def test_its_program_prints_what_the_page_says(sandbox_places: Any) -> None:
    ((code, output),) = FENCE.findall(PAGE.read_text(encoding="utf-8"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, **sandbox_places},
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, output), done.stderr
