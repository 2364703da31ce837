"""A LangChain agent resolves three support tickets, and Keito has the bill.

    pip install -e ".[examples]"
    python examples/support_agent.py

Run it as it is: a Keito of its own starts on this machine, and a scripted model stands in for a real one. With
KEITO_API_KEY and the other variables of BillingPolicy.from_env set, it bills to that account instead.
"""

import logging
import os
import sys
import time
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from local_keito import keito_account, stop

try:
    from keito_langchain import KeitoCallbackHandler
    from langchain.agents import create_agent
    from langchain.tools import tool
    from langchain_core.language_models import BaseChatModel, LangSmithParams
    from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
    from langchain_core.outputs import ChatGeneration, ChatResult
    from langchain_core.runnables import RunnableConfig
    from rich.console import Console
    from rich.table import Table
except ImportError as error:
    stop(f'This needs Python 3.10 or newer, and: pip install -e ".[examples]" ({error})')

from keito import Keito, OutcomeTypes
from keito.billing import AgentBilling, Outcome
from keito.metering import log_outcome
from keito.types import Expense, TimeEntry

TICKETS = {
    "4821": "I was charged twice in October.",
    "4822": "Where can I download my invoices?",
    "4823": "Please change our billing address.",
}
console = Console(width=100)


@tool
def look_up_ticket(ticket_id: str) -> str:
    """Read what the customer wrote."""
    console.print(f"  [dim]look_up_ticket[/]  {ticket_id}  [italic]{TICKETS[ticket_id]}[/]")
    return TICKETS[ticket_id]


@tool
def resolve_ticket(ticket_id: str, answer: str) -> str:
    """Answer the customer and close the ticket."""
    console.print(f"  [dim]resolve_ticket[/]  {ticket_id}  [italic]{answer}[/]")
    # All that the agent's author adds for outcomes. Time and cost need not even this.
    log_outcome(
        Outcome(
            OutcomeTypes.TICKET_RESOLVED,
            unit_price=0.99,
            description=f"Ticket {ticket_id} resolved",
            evidence={"ticket": ticket_id},
        )
    )
    return "closed"


class ScriptedModel(BaseChatModel):
    """Looks up the open tickets, then answers them, and counts tokens like the provider that it stands in for."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return LangSmithParams(ls_provider="openai", ls_model_name="gpt-5-mini", ls_model_type="chat")

    def bind_tools(self, tools: Any, **kwargs: Any) -> "ScriptedModel":
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        time.sleep(0.4)  # a model takes its time, and time is billed
        done = sum(isinstance(message, ToolMessage) for message in messages)
        answers = {ticket: f"Dear customer, about {ticket}: it is done." for ticket in TICKETS}
        calls = {
            0: [{"name": "look_up_ticket", "args": {"ticket_id": ticket}, "id": f"l{ticket}"} for ticket in TICKETS],
            3: [
                {"name": "resolve_ticket", "args": {"ticket_id": ticket, "answer": answer}, "id": f"r{ticket}"}
                for ticket, answer in answers.items()
            ],
        }.get(done, [])
        message = AIMessage(
            "" if calls else "All three tickets are resolved.",
            tool_calls=calls,
            usage_metadata={
                "input_tokens": 1900 + 400 * done,
                "output_tokens": 260,
                "total_tokens": 2160 + 400 * done,
                "input_token_details": {"cache_read": 1536 if done else 0},
                "output_token_details": {"reasoning": 128},
            },
            response_metadata={"model_name": "gpt-5-mini-2025-08-07", "model_provider": "openai"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


def show(entries: list[TimeEntry], expenses: list[Expense]) -> None:
    """Print what Keito has of the run."""
    table = Table("On Keito", "Quantity", "Price", "Notes", title="Read back through the SDK", title_justify="left")
    for entry in entries:
        about = entry.metadata or {}
        if "outcome_type" in about:
            quantity, price = about["outcome_quantity"], about["outcome_unit_price"]
            table.add_row("Outcome", f"{quantity} x {about['outcome_type']}", f"${quantity * price:.2f}", entry.notes)
        else:
            seconds = about["keito"]["duration_s"]
            table.add_row("Time entry", f"{entry.hours or 0:.6f} h ({seconds:.2f} s)", "", entry.notes)
    for expense in expenses:
        about = expense.metadata or {}
        model, cached = about["model"], about["keito"]["cache_read_tokens"]
        tokens = f"{model['tokens_in']:,} tokens in ({cached:,} cached), {model['tokens_out']:,} out"
        table.add_row("LLM expense", tokens, f"${expense.total_cost or 0:.6f}", model["name"])
    console.print(table)


def read_back(session: str) -> None:
    """Ask Keito for what this run left there."""
    query: dict[str, Any] = {
        "project_id": os.environ["KEITO_PROJECT_ID"],
        "source": "agent",
        "from_date": datetime.now().astimezone().date() - timedelta(days=1),
    }
    with Keito() as keito:
        entries = [entry for entry in keito.time_entries.list(**query) if is_of(session, entry)]
        expenses = [expense for expense in keito.expenses.list(**query) if is_of(session, expense)]
    show(sorted(entries, key=lambda entry: (-(entry.hours or 0), entry.notes or "")), expenses)


def is_of(session: str, record: TimeEntry | Expense) -> bool:
    """Whether a record belongs to this run."""
    return (record.metadata or {}).get("session_id") == session


def main() -> int:
    """Run the agent, and show its bill."""
    with keito_account() as where, closing(AgentBilling()) as billing:
        console.print(f"\nA LangChain agent resolves {len(TICKETS)} tickets, billed to {where}.\n")
        handler = KeitoCallbackHandler(billing)
        session = f"demo-{uuid4()}"
        config: RunnableConfig = {
            "callbacks": [handler],  # this is all that it takes to bill an agent
            "run_name": "Resolve open tickets",
            "configurable": {"thread_id": session},
        }
        agent = create_agent(ScriptedModel(), [look_up_ticket, resolve_ticket])
        request = f"Resolve the tickets {', '.join(TICKETS)}."
        answer = agent.invoke({"messages": [HumanMessage(request)]}, config)
        console.print(f"\n  {answer['messages'][-1].content}\n")

        report = handler.flush()
        console.print(f"{report.delivered} records delivered.\n" if report.complete else f"[red]{report}[/]\n")
        read_back(session)
        return 0 if report.complete else 1


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s")  # billing never raises; the log says what went wrong
    # Nothing leaves this machine but the bill, also where LangSmith is configured.
    os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")
    sys.exit(main())
