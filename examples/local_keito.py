"""Gives the examples a Keito to talk to. Your own programs need nothing of this: `Keito()` reads the environment."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def keito_account(*needed: str) -> Iterator[str]:
    """Your Keito, if the environment has its key; else one that starts on this machine. Gives its name.

    Afterwards the environment has KEITO_PROJECT_ID, KEITO_TASK_ID and whatever else is `needed`.
    """
    if os.environ.get("KEITO_API_KEY"):
        names = ("KEITO_PROJECT_ID", "KEITO_TASK_ID", *needed)
        missing = [name for name in names if not os.environ.get(name)]
        if missing:
            stop(f"KEITO_API_KEY is set, so this bills to your own account: also set {', '.join(missing)}.")
        yield "your Keito account"
        return
    try:
        from keito.sandbox import SandboxServer  # noqa: PLC0415 - an extra
    except ImportError as error:
        stop(f"There is no KEITO_API_KEY, and no Keito on this machine: {error}")
    with SandboxServer() as sandbox:
        os.environ.update(
            KEITO_BASE_URL=sandbox.url,
            KEITO_API_KEY=sandbox.api_key,
            KEITO_ACCOUNT_ID=sandbox.account_id,
            KEITO_PROJECT_ID=sandbox.project_id,
            KEITO_TASK_ID=sandbox.task_id,
            KEITO_EXPENSE_CATEGORY_ID=sandbox.expense_category_id,
            KEITO_AGENT_ID="support-agent",
        )
        yield f"a Keito on this machine ({sandbox.url})"


def stop(reason: str) -> NoReturn:
    """End the program with one line that says what to do."""
    print(reason, file=sys.stderr)
    sys.exit(2)
