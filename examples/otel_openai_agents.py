"""An agent of the OpenAI Agents SDK that is billed by the spans it emits. Its model is a class, so it runs offline.

    pip install -e ".[otel,sandbox]" openai-agents openinference-instrumentation-openai-agents
    python examples/otel_openai_agents.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import asyncio
import sys
from typing import Any

from local_keito import keito_account, stop

try:
    import keito_otel
    from agents import Agent, Model, ModelResponse, Runner, Usage, generation_span, set_trace_processors, trace
    from openai.types.responses import ResponseOutputMessage, ResponseOutputText
    from opentelemetry.sdk.trace import TracerProvider
except ImportError as error:
    packages = "openai-agents openinference-instrumentation-openai-agents"
    stop(f'This needs Python 3.10 or newer, and: pip install -e ".[otel,sandbox]" {packages} ({error})')

from keito import Keito
from keito.billing import AgentBilling, Outcome


class Offline(Model):
    """Stands in for a model of OpenAI, and tells its span what it would count."""

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        with generation_span(model="gpt-5-mini") as span:
            span.span_data.usage = {"input_tokens": 1200, "output_tokens": 80}
        text = ResponseOutputText(type="output_text", text="We have changed your address.", annotations=[])
        answer = ResponseOutputMessage(id="msg_1", type="message", role="assistant", status="completed", content=[text])
        usage = Usage(requests=1, input_tokens=1200, output_tokens=80, total_tokens=1280)
        return ModelResponse(output=[answer], usage=usage, response_id="resp_1")

    def stream_response(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("it only answers whole")


async def work() -> None:
    with trace("Ticket 4821", group_id="chat-77"):
        result = await Runner.run(Agent(name="support-agent", model=Offline()), "Please change our address.")
        print(" ", result.final_output)


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID") as where, Keito() as keito:
        print(f"An agent of the OpenAI Agents SDK, billed to {where}.\n")
        set_trace_processors([])  # the SDK would send its traces to its maker
        billing = AgentBilling(client=keito, outcome=Outcome("ticket_resolved", unit_price=0.99))
        keito_otel.install(billing, tracer_provider=TracerProvider())
        asyncio.run(work())
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
