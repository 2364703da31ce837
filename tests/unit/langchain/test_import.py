import os
import subprocess
import sys

import pytest


def test_without_langchain_core_the_import_says_what_to_install() -> None:
    program = "import sys; sys.modules['langchain_core'] = None; import keito_langchain"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert 'pip install "keito[langchain]"' in ended.stderr


def test_importing_the_handler_loads_nothing_that_bills() -> None:
    pytest.importorskip("langchain_core")
    program = (
        "import sys\n"
        "from langchain_core.callbacks import BaseCallbackHandler\n"
        "before = set(sys.modules)\n"
        "from keito_langchain import KeitoCallbackHandler\n"
        "print(*sorted(name for name in {*sys.modules} - before if not name.startswith('keito_langchain')))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == []


def test_importing_the_handler_loads_langsmith_only_where_the_variable_is_set() -> None:
    pytest.importorskip("langchain_core")
    program = "import sys, keito_langchain; print('langchain_core.tracers.context' in sys.modules)"
    for variables, loaded in (({}, "False"), ({"KEITO_LANGCHAIN": "1"}, "True")):
        ended = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert ended.stdout.strip() == loaded
