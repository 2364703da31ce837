"""`python -m keito` itself: help, version, wrong words, missing extras."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from keito import __version__
from keito.cli import main

WITHOUT_TYPER = "import sys; sys.modules['typer'] = None; from keito.cli import main; sys.exit(main({arguments!r}))"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", *command], capture_output=True, text=True, check=False)


def without_typer(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run("-c", WITHOUT_TYPER.format(arguments=list(arguments)))


def test_version_is_said_without_loading_what_commands_need() -> None:
    script = "import sys; from keito.cli import main; main(['--version']); print({'typer', 'httpx'} & {*sys.modules})"
    assert run("-c", script).stdout == f"keito {__version__}\nset()\n"


def test_help_lists_every_command(shell) -> None:
    said = shell("--help")
    assert said.status == 0
    for command in ("sandbox", "relay", "outbox", "doctor", "whoami", "prices"):
        assert f"\n  {command} " in said.out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(("fly",), "'fly'"), (("outbox", "fly"), "'fly'"), (("doctor", "--days", "-1"), "'--days'")],
)
def test_wrong_words_are_named_with_status_2(shell, arguments: tuple[str, ...], reason: str) -> None:
    said = shell(*arguments)
    assert said.status == 2
    assert reason in said.out + said.err
    assert "Usage: python -m keito" in said.out + said.err


def test_no_word_at_all_shows_the_help(shell) -> None:
    said = shell()
    assert "Commands:" in said.out + said.err


def test_help_names_the_program_as_it_was_called(shell, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/keito-py"])
    assert shell("--help").out.startswith("Usage: keito-py ")
    assert shell("outbox", "--help").out.startswith("Usage: keito-py outbox ")


def test_ctrl_c_ends_a_command_as_shells_expect_without_a_traceback(shell, monkeypatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("keito.cli.app.run", interrupted)
    said = shell("doctor")
    assert (said.status, said.out, said.err) == (130, "", "")


def test_the_only_script_is_not_named_like_the_official_one() -> None:
    text = (Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    scripts = text.partition("[project.scripts]\n")[2].partition("\n\n")[0]
    assert scripts == 'keito-py = "keito.cli:main"'


@pytest.mark.parametrize("command", ["whoami", "doctor", "outbox", "relay"])
def test_missing_extra_is_named(command: str) -> None:
    result = without_typer(command)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f'keito {command}: the commands whoami, doctor, outbox and relay need: pip install "keito[cli]"\n'
    )


def test_prices_and_help_do_without_the_extra(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("KEITO_OUTBOX_URL", f"sqlite:///{tmp_path}/outbox.db")
    assert without_typer("prices", "check", "--outbox").stdout == "No model in the outbox lacked a price.\n"
    assert without_typer("prices", "check").stderr.startswith("keito prices check: name a FILE, a --model or --outbox")
    assert 'whoami, doctor, outbox and relay need: pip install "keito[cli]"' in without_typer("--help").stdout


def test_options_of_prices_reach_it_through_the_app_as_well() -> None:
    typer_testing = pytest.importorskip("typer.testing")
    from keito.cli.app import app

    result = typer_testing.CliRunner().invoke(app, ["prices", "check"])
    assert result.exit_code == main(["prices", "check"]) == 2
