"""`python -m keito prices`, as an operator calls it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keito.cli import main

ROOT = Path(__file__).parents[3]
OWN = str(ROOT / "examples" / "own_prices.toml")
AT = ["--at", "2026-11-20"]

pytest.importorskip("genai_prices")
if sys.version_info < (3, 11):
    pytest.importorskip("tomli")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> "tuple[int, str, str]":
    status = main(["prices", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_show_prints_the_rates_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "show", "claude-sonnet-4-5", "--at", "2026-11-20T18:00:00+01:00")
    assert status == 0
    assert out.startswith("claude-sonnet-4-5: genai-prices ")
    assert "  input_mtok              3, or 6 above 200,000 input tokens, for a million tokens\n" in out
    assert "web_searches" not in out


def test_show_takes_ones_own_prices_first(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "show", "azure/gpt-5-mini-2025-08-07", "--tier", "batch", "--table", OWN, *AT)
    assert (status, out.splitlines()[0]) == (0, "azure/gpt-5-mini-2025-08-07: own prices contract 2026-11, USD")
    assert "  output_mtok             0.90, for a million tokens\n" in out
    assert said(capsys, "show", "llama3.2", "--provider", "ollama", "--table", OWN)[1].endswith(
        "  request                 0.0005, for a request\n"
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["gpt-17"], "unknown model"),
        (["ft:gpt-4o:acme::1"], "fine-tuned model"),
        (["gpt-5-mini", "--tier", "scale"], "tier without a rate"),
        (["eu.amazon.nova-lite-v1:0", "--provider", "bedrock"], "no rate for area eu"),
    ],
)
def test_show_says_why_there_is_no_price(
    arguments: "list[str]", reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, "show", *arguments, *AT) == (1, "", f"{arguments[0]}: {reason}\n")


def test_check_says_what_is_in_a_table_and_which_models_have_no_price(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "check", OWN) == (0, "6 prices in USD, version contract 2026-11\n", "")
    models = ["--model", "ft:gpt-4o-mini-2024-07-18:acme::x", "--model", "acme-chat-1"]
    status, out, _ = said(capsys, "check", OWN, *models, *AT)
    assert (status, out.splitlines()[1:]) == (
        1,
        ["ft:gpt-4o-mini-2024-07-18:acme::x: own prices contract 2026-11", "acme-chat-1: no price: unknown model"],
    )
    assert said(capsys, "check", "--model", "o3", *AT)[0] == 0


def test_check_without_anything_to_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "check") == (2, "", "keito prices check: name a FILE, a --model or --outbox\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["check", "nowhere.toml"], "argument FILE: nowhere.toml cannot be read: No such file or directory\n"),
        (["show", ""], "argument MODEL: the name of a model is empty"),
        (["check", "--model", " "], "argument --model: the name of a model is empty"),
        (["show", "o3", "--at", "yesterday"], "'yesterday' is no date such as 2026-11-20"),
    ],
)
def test_wrong_arguments_are_named(arguments: "list[str]", reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["prices", *arguments])
    assert exited.value.code == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("action", ["show", "check"])
def test_help_says_what_the_exit_status_means(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["prices", action, "--help"])
    assert "1 when a model has no price" in capsys.readouterr().out


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("keito.cli.prices.find_rates", lambda *_: "genai-prices not installed")
    expected = 'gpt-5-mini: genai-prices not installed; pip install "keito[pricing]"\n'
    assert said(capsys, "show", "gpt-5-mini") == (1, "", expected)


def test_a_wrong_table_is_named_with_its_entry(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text('{"prices": [{"model": "m", "input": -1}]}', encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "keito", "prices", "check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{path}: prices 1 (m): input: -1 is not a price: it must be 0 or more" in done.stderr
