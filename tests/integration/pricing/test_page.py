"""What docs/pricing.md shows beside Python is true, too."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from keito.cli import main

PAGE = (Path(__file__).parents[3] / "docs" / "pricing.md").read_text(encoding="utf-8")

genai_prices = pytest.importorskip("genai_prices")
if sys.version_info < (3, 11):
    pytest.importorskip("tomli")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_commands_print_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own_prices.toml").write_text(block("toml"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    sessions = re.findall(r"^\$ python -m keito (.*)\n((?:[^$].*\n)*)", block("console"), re.MULTILINE)
    assert len(sessions) == 2
    for command, shown in sessions:
        main(shlex.split(command))
        printed = capsys.readouterr().out.replace(genai_prices.__version__, "0.2.3")
        assert printed == shown


def test_every_reason_is_explained() -> None:
    package = Path(__file__).parents[3] / "keito"
    sources = [package / "metering" / "usage.py", *(package / "pricing").glob("*.py")]
    said = {
        text
        for path in sources
        for text in re.findall(
            r'"((?:no |unknown |fine-tuned |tier |token |the provider )[a-z ]+)"', path.read_text("utf-8")
        )
    }
    table = PAGE.split("## When there is no price")[1].split("\n## ")[0]
    general = {re.sub(r"^no rate for .*", "no rate for ... tokens", reason) for reason in said if reason != "no model"}
    assert general
    assert {reason for reason in general if f"`{reason}`" not in table} == set()
