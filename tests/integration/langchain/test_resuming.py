"""Graphs that go on in another process than the one that has paused them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from typing import Any

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("genai_prices")
pytest.importorskip("langgraph.checkpoint.sqlite")

PROGRAM = """
import operator, os, sys
from typing import Annotated, TypedDict

from keito_langchain import KeitoCallbackHandler
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from keito.billing import AgentBilling, Outcome
from keito.metering import log_outcome


class State(TypedDict):
    told: Annotated[list, operator.add]


def answers():
    usage = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
    about = {"model_name": "gpt-5-mini", "model_provider": "openai"}
    while True:
        yield AIMessage("ok", usage_metadata=usage, response_metadata=about)


model = GenericFakeChatModel(messages=answers())


def draft(state):
    model.invoke("draft")
    log_outcome(Outcome("draft_written", 1))
    return {"told": ["draft"]}


def approve(state):
    model.invoke("summary for whoever approves")
    return {"told": [interrupt("May I?")]}


def sign(state):
    return {"told": [interrupt("Signed?")]}


def send(state):
    model.invoke("send")
    if "fail" in state["told"]:
        raise LookupError("no such address")
    return {"told": ["sent"]}


def graph_of(saver):
    inner = StateGraph(State)
    inner.add_node("sign", sign)
    inner.add_edge(START, "sign")
    builder = StateGraph(State)
    for name, node in (("draft", draft), ("approve", approve), ("signing", inner.compile()), ("send", send)):
        builder.add_node(name, node)
    for before, after in ((START, "draft"), ("draft", "approve"), ("approve", "signing"), ("signing", "send")):
        builder.add_edge(before, after)
    builder.add_edge("send", END)
    return builder.compile(checkpointer=saver)


told = sys.argv[2] if len(sys.argv) > 2 else None
deliver = os.environ.get("DELIVER", "in_background")
handler = KeitoCallbackHandler(AgentBilling(deliver=deliver, outcome=Outcome("contract_sent", 5)))
config = {"callbacks": [handler], "configurable": {"thread_id": "contract-7"}, "run_name": "Contract"}
with SqliteSaver.from_conn_string(sys.argv[1]) as saver:
    try:
        graph_of(saver).invoke({"told": []} if told is None else Command(resume=told), config)
    except LookupError:
        pass
    if os.environ.get("CRASH"):
        os._exit(9)
assert handler.flush().complete
handler.billing.close()
"""

ONE, TWO = (1000, 100), (2000, 200)


@pytest.fixture
def run_part(sandbox_environment: Any, tmp_path: Any) -> Any:
    """Runs one part of the conversation in a process of its own, until it waits for somebody again."""
    environment = sandbox_environment(KEITO_OUTBOX_URL=f"sqlite:///{tmp_path}/outbox.db", PYTHONWARNINGS="ignore")

    def run(*answer: str, code: int = 0, **variables: str) -> None:
        ended = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "graph.db"), *answer],
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == code, ended.stderr

    return run


def outcomes(found: Any) -> list[str]:
    return sorted(entry.metadata["outcome_type"] for entry in found.outcomes)


def test_each_part_is_billed_once_and_the_outcome_when_the_graph_is_done(run_part: Any, bill: Any) -> None:
    began = time.monotonic()
    run_part()
    first = bill()
    assert (first.statuses, first.tokens, outcomes(first)) == (["paused"], [TWO], ["draft_written"])
    assert first.time[0].billable is not False
    run_part("yes")
    second = bill()
    assert (second.statuses, outcomes(second)) == (["paused", "paused"], ["draft_written"])
    assert sorted(second.tokens) == [ONE, TWO]  # a node that is interrupted asks its model again
    run_part("signed")
    took = time.monotonic() - began
    found = bill()
    assert found.statuses == ["completed", "paused", "paused"]
    assert sorted(found.tokens) == [ONE, ONE, TWO]
    assert outcomes(found) == ["contract_sent", "draft_written"]
    assert sorted(found.cost) == ["0.00045", "0.00045", "0.0009"]
    records = [*found.time, *found.outcomes, *found.expenses]
    assert {record.metadata["session_id"] for record in records} == {"contract-7"}
    keys = [record.metadata["keito"]["key"] for record in records]
    assert len(set(keys)) == len(keys) == 8
    # Starting a process takes seconds, the work in it milliseconds: the waiting is in none of them.
    assert sum(entry.metadata["keito"]["duration_s"] for entry in found.time) < took / 3


def test_a_graph_that_fails_in_the_other_process_has_no_outcome(run_part: Any, bill: Any) -> None:
    run_part()
    run_part("fail")
    run_part("signed")
    found = bill()
    assert found.statuses == ["failed", "paused", "paused"]
    assert outcomes(found) == ["draft_written"]


def test_a_process_that_dies_after_the_pause_has_its_part_billed_by_the_next(run_part: Any, bill: Any) -> None:
    """What it had not sent is in the outbox, and the part is not billed a second time."""
    run_part(code=9, CRASH="1", DELIVER="by_relay")
    assert bill().time == []
    run_part("yes")
    run_part("signed")
    found = bill()
    assert found.statuses == ["completed", "paused", "paused"]
    assert sorted(found.tokens) == [ONE, ONE, TWO]
    assert outcomes(found) == ["contract_sent", "draft_written"]
    assert {entry.metadata["session_id"] for entry in found.time} == {"contract-7"}
