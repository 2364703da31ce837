"""`python -m keito doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from rich.text import Text

from keito.cli.checks.duplicates import check_duplicates
from keito.cli.checks.finding import Finding, Level, guarded, ok, problem
from keito.cli.checks.ids import check_ids
from keito.cli.checks.server import check_server
from keito.cli.explain import explain
from keito.cli.screen import Json, print_json, screen
from keito.cli.whoami import client_of_environment
from keito.core.errors import KeitoError

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}

PolicyFile = Annotated[
    Optional[Path],
    typer.Option("--policy", metavar="FILE", help="TOML file with the table [billing]; without it the environment."),
]


def doctor(
    policy: PolicyFile = None,
    days: Annotated[int, typer.Option(min=0, max=365, help="Days to look for duplicates in; 0 for none.")] = 7,
    as_json: Json = False,
) -> None:
    """Check credentials, server, clock, ids, outbox and duplicates. Exit status 1 when there is a problem."""
    findings: list[Finding] = []
    for finding in examine(fields_of(policy), days):
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


def examine(policy: Mapping[str, Any], days: int) -> Iterator[Finding]:
    """Look at everything, the likeliest causes first."""
    try:
        client = client_of_environment()
    except KeitoError as error:
        yield problem("credentials", *explain(error))
        return
    with client:
        account = f"account {client.account_id}" if client.account_id else "the account that the token names"
        yield ok("credentials", f"there is an API key, for {account}")
        reached = True
        for finding in guarded("reachable", check_server(client, policy.get("timezone"))):
            reached = reached and not (finding.check == "reachable" and finding.level is Level.PROBLEM)
            yield finding
        if reached:
            yield from check_ids(client, policy)
            if days:
                yield from guarded("duplicates", check_duplicates(client, days))


def _print(finding: Finding) -> None:
    line = Text(f"{finding.level:<8} ", style=_STYLES[finding.level])
    line.append(f"{finding.check}: ", style="bold")
    line.append(finding.text, style="default")
    screen().print(line)
    if finding.advice:
        screen().print(Text(f"{'':<9}{finding.advice}", style="dim"))
