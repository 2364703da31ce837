import subprocess
import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("CrewAI needs Python 3.10", allow_module_level=True)


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


def test_importing_it_loads_neither_crewai_nor_the_client() -> None:
    heavy = ("crewai", "genai_prices", "keito.client", "keito.sandbox", "pydantic")
    ended = run(f"import sys, keito_crewai; print([name for name in {heavy} if name in sys.modules])")
    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["BilledCrew", "install"])
def test_without_crewai_it_says_what_to_install(name: str) -> None:
    gone = "raise metadata.PackageNotFoundError"
    program = (
        "from importlib import metadata\n"
        f"def version(name): {gone}\n"
        "metadata.version = version\n"
        "import keito_crewai\n"
        "arguments = (object(),) if 'Billed' in NAME else ()\n"
        "getattr(keito_crewai, NAME)(*arguments, project_id='p', task_id='t')\n"
    ).replace("NAME", repr(name))
    ended = run(f"import os\nos.environ.update(KEITO_API_KEY='k', KEITO_ACCOUNT_ID='a')\n{program}")
    assert ended.returncode == 1
    assert 'ImportError: keito_crewai needs crewai: pip install "keito[crewai]"' in ended.stderr


def test_a_crewai_that_is_too_old_is_named() -> None:
    ended = run(
        "from importlib import metadata\n"
        "metadata.version = lambda name: '1.12.2'\n"
        "from keito_crewai import framework\n"
        "framework.version()\n"
    )
    assert ended.returncode == 1
    assert "needs crewai 1.13 or newer" in ended.stderr
    assert "this is 1.12.2" in ended.stderr
