"""`python -m keito outbox flush`: send what waits, now."""

from dataclasses import asdict
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from keito.cli.account import client_of_environment
from keito.cli.records import undelivered
from keito.cli.screen import Json, print_json, say, screen
from keito.cli.store import Url, opened
from keito.outbox.destination import destination_of

if TYPE_CHECKING:
    from keito.outbox.delivery import FlushReport
    from keito.outbox.durable import OutboxDelivery

Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds after which it gives up.")]

_GLANCE = 0.1
"""Seconds between two looks at how far it is."""


def flush(timeout: Timeout = 60.0, url: Url = None, output: Json = False) -> None:
    """Send what waits, and what is held, to the account of the API key. Exit status 1 when something stays behind."""
    from keito.cli.chores import chores  # noqa: PLC0415 - brings the billing along
    from keito.outbox.durable import OutboxDelivery  # noqa: PLC0415 - brings the relay along

    with client_of_environment() as client, opened(url) as store:
        for chore in chores(store, destination_of(client)):
            chore()
        delivery = OutboxDelivery(store, client)
        try:
            report = _watched(delivery, timeout, hidden=output)
        finally:
            delivery.close()
        elsewhere = undelivered(store.counts()) - undelivered(store.counts(delivery.destination))
    if output:
        print_json({"complete": report.complete, **asdict(report)})
    else:
        _print(report)
        if elsewhere:
            say(f"{elsewhere:,} more for other accounts: their keys must send them.")
    raise typer.Exit(0 if report.complete else 1)


def _watched(delivery: "OutboxDelivery", timeout: float, *, hidden: bool) -> "FlushReport":
    """Flush, and show how far it is to whoever sits at a terminal."""
    before = delivery.report()
    total = before.pending + before.unsure + before.held
    console = screen(stderr=True)
    columns = (TextColumn("Sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    reports: list[FlushReport] = []
    flushing = Thread(target=lambda: reports.append(delivery.flush(timeout)), daemon=True)
    with Progress(*columns, console=console, disable=hidden or not console.is_terminal) as progress:
        bar = progress.add_task("", total=total)
        flushing.start()
        while flushing.is_alive():
            flushing.join(_GLANCE)
            progress.update(bar, completed=min(total, delivery.report().delivered))
    return reports[0] if reports else delivery.report()


def _print(report: "FlushReport") -> None:
    counts = {name: count for name, count in asdict(report).items() if count or name == "delivered"}
    say(", ".join(f"{count:,} {name}" for name, count in counts.items()))
    if report.held or report.dead:
        say("Why: outbox list --state held --state dead")
    elif not report.complete:
        say("What is pending or unsure is sent by the next relay, agent or flush; nothing is lost.")
