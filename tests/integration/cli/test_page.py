"""docs/cli.md says what the commands do."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import pytest
import yaml

from keito.cli.app import app
from keito.outbox.record import RecordKind
from keito.outbox.stored import RecordState

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
COMMANDS = (
    ["doctor"],
    ["whoami"],
    ["relay"],
    *(["outbox", name] for name in ("status", "list", "show", "retry", "export", "flush", "reprice")),
)


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_and_every_option_is_there(shell, command: list[str]) -> None:
    said = shell(*command, "--help").out
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", said, re.MULTILINE)) - {"--help"}
    assert f"`{' '.join(command)}`" in PAGE
    assert {option for option in options if option not in PAGE} == set()


def test_there_is_no_other_command() -> None:
    assert {command.name or command.callback.__name__ for command in app.registered_commands} == {
        *(command[0] for command in COMMANDS if len(command) == 1),
        "sandbox",
        "prices",
    }
    (outbox,) = app.registered_groups
    names = {command.name or command.callback.__name__ for command in outbox.typer_instance.registered_commands}
    assert names == {command[1] for command in COMMANDS if len(command) == 2}


def test_json_has_the_members_that_the_page_names(shell, put, keito_client) -> None:
    put("run-time-0", RecordState.DEAD, kind=RecordKind.OUTCOME, status_code=400, reason="no")
    answers = [
        shell("doctor", "--json").json,
        shell("doctor", "--json").json["findings"][0],
        shell("whoami", "--json").json,
        shell("whoami", "--json").json["account"],
        shell("outbox", "status", "--json").json,
        shell("outbox", "show", "run-time-0", "--json").json[0],
        shell("outbox", "retry", "run-time-0", "--json").json,
        shell("outbox", "flush", "--json").json,
        shell("outbox", "reprice", "--json").json,
    ]
    names = {name for answer in answers for name in answer}
    assert {name for name in names if not re.search(rf"[`\"]{name}[`\"]", PAGE)} == set()


def test_states_are_explained() -> None:
    assert {state.value for state in RecordState if f"| `{state}` |" not in PAGE} == set()


def test_checks_are_explained(shell, put) -> None:
    put("a", RecordState.DEAD, status_code=400, reason="no")
    put("b", RecordState.HELD, status_code=404, reason="no")
    checks = {one["check"] for one in shell("doctor", "--json").json["findings"]}
    assert {check for check in checks if f"`{check}`" not in PAGE} == set()


def test_the_unit_of_systemd_starts_a_relay(shell) -> None:
    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(block("ini"))
    python, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert python.endswith("/python")
    check_relay(shell, arguments)
    assert int(unit["Service"]["TimeoutStopSec"]) > drain(shell)


def test_the_deployment_of_kubernetes_starts_a_relay(shell) -> None:
    pod = yaml.safe_load(block("yaml"))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    python, *arguments = container["command"]
    assert python == "python"
    check_relay(shell, arguments)
    assert arguments[arguments.index("--port") + 1] == str(container["ports"][0]["containerPort"])
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": container["ports"][0]["name"]}
    assert pod["terminationGracePeriodSeconds"] > drain(shell)
    assert {"KEITO_API_KEY", "KEITO_ACCOUNT_ID", "KEITO_OUTBOX_URL"} == {one["name"] for one in container["env"]}


def check_relay(shell, arguments: list[str]) -> None:
    assert arguments[:3] == ["-m", "keito", "relay"]
    assert shell(*arguments[2:], "--help").status == 0


def drain(shell) -> int:
    found = re.search(r"--drain.*?default: ([\d.]+)", shell("relay", "--help").out, re.DOTALL)
    assert found
    return int(float(found[1]))
