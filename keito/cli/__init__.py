"""The command line: `python -m keito COMMAND`, or `keito-py COMMAND`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from keito import __version__

_WITHOUT_EXTRA = ("sandbox", "prices")
"""What works without Typer and Rich: to try keito, and to look a price up, must not need more than that."""

_INTERRUPTED = 130
"""What shells give for SIGINT."""

_NEEDS_EXTRA = "whoami, doctor, outbox and relay"


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run a command and give its exit status."""
    try:
        return _run([*(sys.argv[1:] if argv is None else argv)])
    except KeyboardInterrupt:  # also while modules are loading
        return _INTERRUPTED


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["--version"]:
        print(f"keito {__version__}")  # noqa: T201
        return 0
    if arguments and arguments[0] in _WITHOUT_EXTRA:
        return run_plain(arguments)
    try:
        from keito.cli.app import run  # noqa: PLC0415 - Typer and Rich take a tenth of a second to load
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        return _without_extra(arguments)
    return run(arguments, program())


def program() -> str:
    """What the user typed to get here."""
    name = Path(sys.argv[0]).stem
    return name if name == "keito-py" else "python -m keito"


def run_plain(arguments: Sequence[str]) -> int:
    """Run a command that needs no extra for its arguments."""
    parsed = parser().parse_args(arguments)
    status: int = parsed.run(parsed)
    return status


def parser() -> argparse.ArgumentParser:
    """The commands that need no extra for their arguments."""
    from keito.cli import prices, sandbox  # noqa: PLC0415 - no other command needs them

    more = f'The commands {_NEEDS_EXTRA} need: pip install "keito[cli]"'
    top = argparse.ArgumentParser(prog=program(), description="Keito from the command line.", epilog=more)
    top.add_argument("--version", action="version", version=f"keito {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    prices.add_command(commands)
    sandbox.add_command(commands)
    return top


def _without_extra(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        return run_plain(arguments)
    print(f'keito {arguments[0]}: the commands {_NEEDS_EXTRA} need: pip install "keito[cli]"', file=sys.stderr)  # noqa: T201
    return 1
