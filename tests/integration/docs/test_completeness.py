"""What a reader looks up in the README is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FOR_DEVELOPERS = {"bench", "dev", "docs", "lint", "test"}


def sources():
    return [
        path.read_text(encoding="utf-8") for name in ("keito", "integrations") for path in (ROOT / name).rglob("*.py")
    ]


def test_every_variable_is_documented():
    read = {name for text in sources() for name in re.findall(r"\bKEITO_[A-Z_]+[A-Z]\b", text)}
    assert {name for name in read if f"| `{name}` |" not in README} == set()


def test_every_extra_is_documented():
    section = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[project.optional-dependencies]")[1]
    extras = set(re.findall(r"^(\w+) = \[", section.split("\n[")[0], re.MULTILINE))
    assert extras
    assert {name for name in extras - FOR_DEVELOPERS if f"| `{name}` |" not in README} == set()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_verbs_and_files_that_are_named_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    verbs = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {verb for verb in re.findall(r"\bmake ([a-z-]+)", text) if verb not in verbs} == set()
    paths = re.findall(r"`((?:keito|integrations|examples|docs|tests|scripts|benchmarks)/[\w./]*)`", text)
    paths += [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert {path for path in paths if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_every_page_is_in_the_navigation(page):
    assert str(page.relative_to(ROOT / "docs")) in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
