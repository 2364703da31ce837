"""`python -m keito doctor`: what is wrong, and what to do about it."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from keito.cli.checks.finding import Finding, Level
from keito.cli.examination import examine
from keito.cli.policy import PolicyFile, fields_of
from keito.cli.screen import Json, print_json, screen
from keito.cli.store import Url

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}


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


def _print(finding: Finding) -> None:
    line = Text(f"{finding.level:<8} ", style=_STYLES[finding.level])
    line.append(f"{finding.check}: ", style="bold")
    line.append(finding.text, style="default")
    screen().print(line)
    if finding.advice:
        screen().print(Text(f"{'':<9}{finding.advice}", style="dim"))
