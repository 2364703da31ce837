"""The command line: `python -m keito COMMAND`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Optional

from keito import __version__
from keito.cli import prices, sandbox


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run a command and give its exit status."""
    arguments = parser().parse_args(argv)
    status: int = arguments.run(arguments)
    return status


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    top = argparse.ArgumentParser(prog="python -m keito", description="Keito from the command line.")
    top.add_argument("--version", action="version", version=f"keito {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    prices.add_command(commands)
    sandbox.add_command(commands)
    return top
