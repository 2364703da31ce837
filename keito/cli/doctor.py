"""`python -m keito doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer
from rich.text import Text

from keito.cli.checks.duplicates import check_duplicates
from keito.cli.checks.finding import Finding, Level, guarded, ok, problem, warning
from keito.cli.checks.ids import check_ids
from keito.cli.checks.outbox import check_outbox
from keito.cli.checks.server import check_server
from keito.cli.explain import explain
from keito.cli.screen import Json, print_json, screen
from keito.cli.store import Url
from keito.cli.whoami import client_of_environment
from keito.core.errors import KeitoError
from keito.outbox.destination import destination_of

if TYPE_CHECKING:
    from keito.client import Keito

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}

_NOT_KEPT = {
    "memory": "what is not delivered when a process ends is lost, unbilled",
    "direct": "what does not reach Keito at once is lost when the process ends, unbilled",
}

PolicyFile = Annotated[
    Optional[Path],
    typer.Option("--policy", metavar="FILE", help="TOML file with the table [billing]; without it the environment."),
]


def doctor(
    policy: PolicyFile = None,
    url: Url = None,
    days: Annotated[int, typer.Option(min=0, max=365, help="Days to look for duplicates in; 0 for none.")] = 7,
    as_json: Json = False,
) -> None:
    """Check credentials, server, clock, ids, outbox and duplicates. Exit status 1 when there is a problem."""
    findings: list[Finding] = []
    for finding in examine(fields_of(policy), days, url):
        findings.append(finding)
        if not as_json:
            _print(finding)
    is_well = all(finding.level is not Level.PROBLEM for finding in findings)
    if as_json:
        print_json({"ok": is_well, "findings": [{**asdict(one), "level": str(one.level)} for one in findings]})
    raise typer.Exit(0 if is_well else 1)


def fields_of(policy: Optional[Path]) -> Mapping[str, Any]:
    """The fields of a billing policy that a file sets, or the environment."""
    from keito.billing.reading import from_environment, from_file  # noqa: PLC0415 - brings the metering along

    try:
        return from_environment(os.environ) if policy is None else from_file(policy)
    except (ValueError, OSError, ImportError) as error:
        raise typer.BadParameter(explain(error)[0], param_hint="--policy") from None


def examine(policy: Mapping[str, Any], days: int, url: Optional[str]) -> Iterator[Finding]:
    """Look at everything, the likeliest causes first; what was found twice is said once."""
    said: set[Finding] = set()
    home = None
    try:
        client = client_of_environment()
    except KeitoError as error:
        yield problem("credentials", *explain(error))
    else:
        with client:
            home = destination_of(client)
            for finding in _server(client, policy, days):
                said.add(finding)
                yield finding
    for finding in guarded("outbox", _outbox(url, home, days)):
        if finding not in said:
            yield finding


def _server(client: Keito, policy: Mapping[str, Any], days: int) -> Iterator[Finding]:
    account = f"account {client.account_id}" if client.account_id else "the account that the token names"
    yield ok("credentials", f"there is an API key, for {account}")
    for finding in guarded("reachable", check_server(client, policy.get("timezone"))):
        yield finding
        if finding.check == "reachable" and finding.level is Level.PROBLEM:
            return
    yield from check_ids(client, policy)
    if days:
        yield from guarded("duplicates", check_duplicates(client, days))


def _outbox(url: Optional[str], home: Optional[str], days: int) -> Iterator[Finding]:
    from keito.outbox.open_store import open_store  # noqa: PLC0415 - brings a database along

    scheme = (url or "").partition(":")[0].lower()
    if scheme in _NOT_KEPT:
        yield warning("outbox", f"KEITO_OUTBOX_URL is {scheme}://: {_NOT_KEPT[scheme]}", "set a file or a database")
        return
    try:
        store = open_store(url)
    except (ValueError, ImportError) as error:
        yield problem("outbox", str(error), "set KEITO_OUTBOX_URL, or leave it out for a file in the user's folder")
        return
    try:
        yield from check_outbox(store, home, look_for_duplicates=bool(days))
    finally:
        store.close()


def _print(finding: Finding) -> None:
    line = Text(f"{finding.level:<8} ", style=_STYLES[finding.level])
    line.append(f"{finding.check}: ", style="bold")
    line.append(finding.text, style="default")
    screen().print(line)
    if finding.advice:
        screen().print(Text(f"{'':<9}{finding.advice}", style="dim"))
