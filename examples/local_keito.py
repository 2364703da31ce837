"""Gives the examples a Keito to talk to. Your own programs need nothing of this: `Keito()` reads the environment."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from keito import KeitoError


@contextmanager
def keito_account(*needed: str) -> Iterator[str]:
    """The Keito of the environment, if that has its key; else one that starts on this machine. Gives its name.

    Within, the environment has KEITO_PROJECT_ID, KEITO_TASK_ID and whatever else is `needed`. What Keito refuses, or
    does not answer, ends the program with one line.
    """
    with named_account(*needed) if os.environ.get("KEITO_API_KEY") else sandbox_account() as name:
        try:
            yield name
        except KeitoError as error:
            stop(f"Keito: {error}", status=1)


@contextmanager
def named_account(*needed: str) -> Iterator[str]:
    """What the environment names."""
    host = os.environ.get("KEITO_BASE_URL") or "https://app.keito.io"
    where = f"the account {os.environ.get('KEITO_ACCOUNT_ID', '')} on {host}"
    names = ("KEITO_ACCOUNT_ID", "KEITO_PROJECT_ID", "KEITO_TASK_ID", *needed)
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        stop(f"KEITO_API_KEY is set, so this works on {where}: also set {', '.join(missing)}.")
    yield where


@contextmanager
def sandbox_account() -> Iterator[str]:
    """A Keito that runs on this machine while the program does."""
    try:
        from keito.sandbox import SandboxServer  # noqa: PLC0415 - an extra
    except ImportError as error:
        stop(f"There is no KEITO_API_KEY, and no Keito on this machine: {error}")
    for name in [name for name in os.environ if name.startswith("KEITO_") and name != "KEITO_LOG"]:
        del os.environ[name]  # of another account
    # An outbox of its own, too: what is left of a trial must not get into yours.
    with SandboxServer() as sandbox, temporary_folder() as folder:
        os.environ.update(
            KEITO_OUTBOX_URL=f"sqlite:///{folder}/outbox.db",
            KEITO_BASE_URL=sandbox.url,
            KEITO_API_KEY=sandbox.api_key,
            KEITO_ACCOUNT_ID=sandbox.account_id,
            KEITO_PROJECT_ID=sandbox.project_id,
            KEITO_TASK_ID=sandbox.task_id,
            KEITO_EXPENSE_CATEGORY_ID=sandbox.expense_category_id,
            KEITO_AGENT_ID="support-agent",
        )
        yield f"a Keito on this machine ({sandbox.url})"


@contextmanager
def temporary_folder() -> Iterator[str]:
    """A folder that goes with the program, if nothing in it is open any more."""
    folder = tempfile.mkdtemp(prefix="keito-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stop(reason: str, status: int = 2) -> NoReturn:
    """End the program with one line that says what to do."""
    print(reason, file=sys.stderr)
    sys.exit(status)
