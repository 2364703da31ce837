import subprocess
import sys

import pytest

import keito.metering


def test_every_exported_name_is_there() -> None:
    assert all(getattr(keito.metering, name) is not None for name in keito.metering.__all__)


def test_a_name_that_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match="no attribute 'meters'"):
        keito.metering.meters  # type: ignore[attr-defined]  # noqa: B018


def test_metering_loads_neither_a_provider_client_nor_its_own_reading_before_they_are_needed() -> None:
    program = (
        "import sys, keito.metering\n"
        "assert not {name for name in sys.modules if name.startswith('keito.metering.dialects')}\n"
        "keito.metering.meter, keito.metering.usage_of\n"
        "assert not {'openai', 'anthropic', 'httpx', 'langchain_core', 'pydantic'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
