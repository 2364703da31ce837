"""What commands print: tables for people, JSON for programs, and errors in a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Optional

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keito.cli.explain import explain

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
"""The option that every command with results has."""

_ENDLESS = 10_000
"""Columns where nobody looks: a table in a file or pipe is not cut to a terminal's width."""


def screen(*, stderr: bool = False) -> Console:
    """Where commands print to. Without a terminal there are no colours and no line breaks."""
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _ENDLESS
    return console


def say(text: str, style: Optional[str] = None) -> None:
    """Print a line."""
    screen().print(text, style=style)


def complain(error: Exception) -> None:
    """Say on stderr what went wrong and what to do."""
    text, advice = explain(error)
    screen(stderr=True).print(f"keito: {text}" + (f"\n  {advice}" if advice else ""))


def fail(text: str) -> typer.Exit:
    """Say on stderr why a command cannot work; the caller raises what this gives."""
    screen(stderr=True).print(f"keito: {text}")
    return typer.Exit(1)


def print_json(value: object) -> None:
    """Print JSON whose members keep their order."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table. A terminal folds what is too wide, and cuts nothing off: keys get copied from here."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text("" if cell is None else str(cell)) for cell in row))
    _print_trimmed(table)


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Print names and values, one pair a line, without those that have no value."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields:
        if value is not None and value != "":
            table.add_row(name, Text(str(value)))
    _print_trimmed(table)


def _print_trimmed(table: Table) -> None:
    """Without the spaces that fill up the last column."""
    console = screen()
    with console.capture() as capture:
        console.print(table)
    typer.echo("\n".join(line.rstrip() for line in capture.get().splitlines()), color=console.is_terminal or None)
