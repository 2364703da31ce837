"""The exported names are the documented ones: SemVer counts from them."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = [
    "keito",
    "keito.billing",
    "keito.metering",
    "keito.outbox",
    "keito.pricing",
    "keito.sandbox",
    "keito.types",
]
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "public-names.md"


def documented(module):
    section = PAGE.read_text().split(f"## `{module}`")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| \S", section, re.MULTILINE)


@pytest.mark.parametrize("module", MODULES)
def test_exports_are_documented(module):
    assert sorted(importlib.import_module(module).__all__) == sorted(documented(module))


@pytest.mark.parametrize("module", MODULES)
def test_exports_exist(module):
    loaded = importlib.import_module(module)
    assert all(getattr(loaded, name) is not None for name in loaded.__all__)


def test_importing_keito_loads_neither_httpx_nor_pydantic():
    program = "import sys, keito; print([name for name in ('httpx', 'pydantic', 'asyncio') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'Kieto'"):
        importlib.import_module("keito").Kieto  # noqa: B018


def test_version_is_that_of_the_package():
    from importlib.metadata import version

    import keito

    assert keito.__version__ == version("keito")
