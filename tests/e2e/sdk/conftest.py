import subprocess
import sys
import textwrap
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture
def start(sandbox_environment: Any, tmp_path: Any) -> "Callable[..., Any]":
    """Starts a program against the sandbox, in a process of its own."""

    def begin(program: str, **variables: str) -> Any:
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)],
            env=sandbox_environment(**variables),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


@pytest.fixture
def run(start: Any) -> "Callable[..., Any]":
    """Runs a program to its end."""

    def finish(program: str, **variables: str) -> Any:
        process = start(program, **variables)
        try:
            out, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return SimpleNamespace(returncode=process.returncode, stdout=out, stderr=errors)

    return finish
