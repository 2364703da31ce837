"""Keeps the CrewAI examples on this machine. Your own programs need nothing of this: their models speak to a provider.

Import it before crewai, which otherwise reports to its makers from the first crew on.
"""

import os
import sys
import tempfile
import time
from typing import Any

from local_keito import stop

from keito import Keito

if sys.version_info < (3, 10):
    stop("This needs Python 3.10 or newer.")
STORAGE = tempfile.TemporaryDirectory(prefix="keito-examples-", ignore_cleanup_errors=True)

os.environ.update(
    CREWAI_DISABLE_TELEMETRY="true",
    CREWAI_DISABLE_TRACKING="true",
    CREWAI_TRACING_ENABLED="false",
    CREWAI_DISABLE_VERSION_CHECK="true",
    OTEL_SDK_DISABLED="true",
    CREWAI_STORAGE_DIR=STORAGE.name,
)
try:
    from crewai import Agent, BaseLLM, Crew, Task
    from crewai.events.types.llm_events import LLMCallType
    from crewai.llms.base_llm import llm_call_context
except ImportError as error:
    stop(f'This needs CrewAI: pip install -e ".[crewai,sandbox]" ({error})')


class ScriptedModel(BaseLLM):  # type: ignore[misc]
    """Answers whatever it is asked, and counts tokens like the provider that it stands in for."""

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        about = {"from_task": kwargs.get("from_task"), "from_agent": kwargs.get("from_agent")}
        agent = about["from_agent"].role if about["from_agent"] else "model"
        answer = f"The {agent.lower()} has done it."
        with llm_call_context():
            self._emit_call_started_event(messages=messages, **about)
            time.sleep(0.1)  # a model takes its time, and time is billed
            if getattr(self, "stream", False):  # a field of newer versions
                for word in answer.split():
                    self._emit_stream_chunk_event(f"{word} ", **about)
            usage = {"prompt_tokens": 1200, "completion_tokens": 150, "total_tokens": 1350}
            self._track_token_usage_internal(usage)  # what CrewAI's own totals are made of
            self._emit_call_completed_event(answer, LLMCallType.LLM_CALL, messages=messages, usage=usage, **about)
        return f"Thought: I now can give a great answer\nFinal Answer: {answer}"

    def get_input_tokens_count(self, *args: Any, **kwargs: Any) -> int:
        return 1200


def crew_of(roles: dict[str, str], name: str, **fields: Any) -> Crew:
    """A crew with one task for each role. All its agents share one model, which CrewAI counts once for each of them."""
    model = ScriptedModel(model="gpt-5-mini", provider="openai")
    agents = {role: Agent(role=role, goal="good work", backstory="long", llm=model) for role in roles}
    tasks = [
        Task(name=role.lower(), description=what, expected_output="a text", agent=agents[role])
        for role, what in roles.items()
    ]
    return Crew(name=name, agents=list(agents.values()), tasks=tasks, **fields)


def show(keito: Keito, session: str) -> None:
    """What the runs of a session became on Keito."""
    for entry in reversed(list(keito.time_entries.list(source="agent"))):
        about = entry.metadata or {}
        if about.get("session_id") != session:
            continue
        if "outcome_type" in about:
            print(f"  Outcome     ${about['outcome_unit_price']:.2f}    {entry.notes}")
        else:
            model, details = about["model"], about["keito"]["details"]
            tokens = model["tokens_in"] + model["tokens_out"]
            counted = details.get("crewai_reported_tokens", 0)
            print(f"  Time entry  {entry.notes}: {tokens:,} tokens (CrewAI itself counts {counted:,})")
    for expense in keito.expenses.list(source="agent"):
        if (expense.metadata or {}).get("session_id") == session:
            print(f"  Expense     ${expense.total_cost or 0:.6f}  {expense.notes}")
