"""A LangGraph agent that asks a person: the work before and after is billed, the waiting is not.

    pip install -e ".[examples]"
    python examples/langgraph_approval.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import logging
import sys
import time
from typing import Any, TypedDict
from uuid import uuid4

from local_keito import keito_account, stop
from offline_model import OfflineModel

try:
    from keito_langchain import KeitoCallbackHandler
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Command, interrupt
except ImportError as error:
    stop(f'This needs Python 3.10 or newer, and: pip install -e ".[examples]" ({error})')

from keito import Keito
from keito.billing import Outcome

model = OfflineModel(answer="Dear Ms Reyes, we refund 40 dollars.")


class State(TypedDict):
    """What goes from node to node."""

    text: str


def draft(state: State) -> State:
    time.sleep(0.2)  # an agent takes its time, and time is billed
    return {"text": str(model.invoke(state["text"]).content)}


def approve(state: State) -> State:
    decision = interrupt(f"Send this? {state['text']}")
    return {"text": state["text"] if decision == "yes" else "(not sent)"}


def build() -> Any:
    graph = StateGraph(State)
    graph.add_node("draft", draft)
    graph.add_node("approve", approve)
    graph.add_edge(START, "draft")
    graph.add_edge("draft", "approve")
    graph.add_edge("approve", END)
    return graph.compile(checkpointer=InMemorySaver())


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID") as where:
        print(f"An agent writes a letter and asks before it sends it, billed to {where}.\n")
        # The outcome is reached when the graph is: not when it pauses.
        handler = KeitoCallbackHandler(outcome=Outcome("email_sent", unit_price="1.50"))
        thread = f"letter-{uuid4()}"
        config: RunnableConfig = {
            "callbacks": [handler],
            "run_name": "Letter",
            "configurable": {"thread_id": thread},  # joins the parts: it is the session of their records
        }
        graph = build()
        asked = graph.invoke({"text": "Answer Ms Reyes."}, config)
        print(f"It asks:  {asked['__interrupt__'][0].value}")
        time.sleep(1)  # a person takes their time, which nobody pays for
        print(f"It sends: {graph.invoke(Command(resume='yes'), config)['text']}\n")

        report = handler.flush()
        with Keito() as keito:
            entries = [e for e in keito.time_entries.list(source="agent") if (e.metadata or {})["session_id"] == thread]
        for entry in sorted(entries, key=lambda entry: (-(entry.hours or 0), entry.notes or "")):
            about = entry.metadata or {}
            if "outcome_type" in about:
                print(f"  Outcome     {about['outcome_type']}  ${about['outcome_unit_price']:.2f}")
            else:
                facts = about["keito"]
                print(f"  Time entry  {facts['status']:<10} {facts['duration_s']:.1f} s")
        handler.billing.close()
        return 0 if report.complete else 1


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s")
    sys.exit(main())
