"""A pydantic-ai agent that is billed by the spans it emits. Its model is a function, so it runs offline.

    pip install -e ".[otel,sandbox]" pydantic-ai-slim
    python examples/otel_pydantic_ai.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import sys
from typing import Any

from local_keito import keito_account, stop

try:
    import keito_otel
    from opentelemetry.sdk.trace import TracerProvider
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import AgentInfo, FunctionModel
    from pydantic_ai.usage import RequestUsage
except ImportError as error:
    stop(f'This needs Python 3.10 or newer, and: pip install -e ".[otel,sandbox]" pydantic-ai-slim ({error})')

from keito import Keito
from keito.billing import AgentBilling, Outcome
from keito.metering import log_outcome


class Stand(FunctionModel):
    """Stands in for a model of OpenAI, and says what it would count."""

    @property
    def system(self) -> str:
        return "openai"


def think(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Closes the ticket with a tool, then says so."""
    usage = RequestUsage(input_tokens=900 + 150 * len(messages), output_tokens=60, cache_read_tokens=512)
    called = any(isinstance(part, ToolCallPart) for message in messages for part in message.parts)
    part: Any = TextPart("The ticket is closed.") if called else ToolCallPart("close", {"ticket": "4821"})
    return ModelResponse(parts=[part], usage=usage)


agent = Agent(Stand(think, model_name="gpt-5-mini"), name="support-agent")


@agent.tool_plain
def close(ticket: str) -> str:
    """Close a ticket."""
    log_outcome(Outcome("ticket_resolved", unit_price=0.99, description=f"Ticket {ticket} resolved"))
    return "closed"


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID") as where, Keito() as keito:
        print(f"A pydantic-ai agent, billed to {where}.\n")
        billing = AgentBilling(client=keito)
        keito_otel.install(billing, tracer_provider=TracerProvider())
        print(" ", agent.run_sync("Please change our address.").output)
        if not billing.flush().complete:
            stop("Not everything reached Keito; the log says why.", status=1)
        for entry in reversed(list(keito.time_entries.list(source="agent", per_page=2))):
            model = (entry.metadata or {}).get("model")
            print(
                f"  {entry.notes}: {model['tokens_in']} tokens in, ${model['cost_usd']:.6f}"
                if model
                else f"  {entry.notes}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
