"""`python -m keito outbox reprice`: bill what had no price when it was made."""

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from keito.cli.policy import PolicyFile, fields_of
from keito.cli.screen import Json, print_json
from keito.cli.store import Url, opened

if TYPE_CHECKING:
    from keito.pricing import PriceTable

Table = Annotated[Optional[str], typer.Option("--table", metavar="FILE", help="Your own prices, TOML or JSON.")]
Project = Annotated[Optional[str], typer.Option("--project", metavar="ID", help="Only the records of this project.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be stored, and store nothing.")]


def reprice(
    policy: PolicyFile = None,
    table: Table = None,
    project: Project = None,
    dry_run: DryRun = False,
    url: Url = None,
    output: Json = False,
) -> None:
    """Bill model calls that had no price when their run was billed, now that there is one; each once.

    It looks at time entries that are delivered, prices their calls by your own prices or a newer genai-prices, and
    stores one expense for each. A relay posts those. Exit status 1 when some still wait for a price.
    """
    from keito.cli import late  # noqa: PLC0415 - brings the billing along

    fields = {**fields_of(policy), **({} if table is None else {"prices": _prices_of(table)})}
    with opened(url) as store:
        found = list(late.look(store, fields, project))
        expenses = [one for one in found if one.expenses]
        if not dry_run:
            late.keep(store, expenses)
    waiting = [one for one in found if one.obstacle is not None]
    if output:
        print_json({"dry_run": dry_run, "stored": late.expenses_json(expenses), "waiting": late.waiting_json(waiting)})
    else:
        late.print_all(expenses, waiting, dry_run=dry_run)
    raise typer.Exit(int(bool(waiting)))


def _prices_of(name: str) -> "PriceTable":
    from keito.cli.prices import read_table  # noqa: PLC0415 - brings the pricing along

    try:
        return read_table(name)
    except ArgumentTypeError as error:
        raise typer.BadParameter(str(error), param_hint="--table") from None
