import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def run(keito_sandbox: Any, program_environment: Any, tmp_path: Any) -> "Callable[..., Any]":
    """Runs a program against the sandbox, in a process of its own."""

    def start(program: str, **variables: str) -> Any:
        environment = program_environment(
            KEITO_API_KEY=keito_sandbox.api_key,
            KEITO_ACCOUNT_ID=keito_sandbox.account_id,
            KEITO_BASE_URL=keito_sandbox.url,
            **variables,
        )
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return start
