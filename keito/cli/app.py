"""The commands that need the extra `cli`.

Typer reads their annotations. On Python 3.9 it cannot where they are texts: modules of commands do without
`from __future__ import annotations`.
"""

from collections.abc import Sequence
from typing import Any

import typer

from keito.cli import doctor, flush, outbox, relay, reprice, run_plain, whoami
from keito.cli.screen import complain
from keito.core.errors import KeitoError

app = typer.Typer(
    help="Keito from the command line.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(whoami.whoami)
app.command()(doctor.doctor)
app.command()(relay.relay)
outbox.app.command()(flush.flush)
outbox.app.command()(reprice.reprice)
app.add_typer(outbox.app, name="outbox")

_AS_IT_IS: dict[str, Any] = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", help="Show the version and exit."),
) -> None:
    """Only for the help: `keito.cli.main` answers --version itself, without loading all this."""


@app.command("sandbox", context_settings=_AS_IT_IS, help="Run a Keito API on this machine.")
@app.command("prices", context_settings=_AS_IT_IS, help="Show and check prices of models.")
def _plain(context: typer.Context) -> None:
    raise typer.Exit(run_plain([context.info_name or "", *context.args]))


def run(arguments: Sequence[str], program: str) -> int:
    """Run a command and give its exit status. What a user can do something about is said in a sentence."""
    try:
        app(args=[*arguments], prog_name=program)
    except SystemExit as exited:
        return exited.code if isinstance(exited.code, int) else 1
    except (KeitoError, OSError) as error:
        complain(error)
        return 1
    return 0
