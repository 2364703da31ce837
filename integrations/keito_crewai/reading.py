"""From CrewAI's events to keito's model calls."""

from __future__ import annotations

import re
from typing import Any, Optional
from urllib.parse import urlsplit

from keito.metering import LLMCall, NoUsage
from keito.metering.current import starting_run
from keito.metering.dialects import usage_of
from keito.metering.dialects.reading import is_mapping, text
from keito.metering.wrappers.providers import provider_at
from keito_crewai.calls import CallStart, EndedCall

_REFUSED = re.compile(
    r"error code: [1345]\d\d|\bstatus(?: code)?:? [1345]\d\d|failed to connect|connection error|\bnot found\b"
    r"|denied by|blocked by|rate.?limit|api.?key|authentication",
    re.IGNORECASE,
)
_TIMED_OUT = re.compile(r"timed out|timeout", re.IGNORECASE)
_ANSWERED = re.compile(r"validation error|could not parse|invalid json", re.IGNORECASE)


def started(source: Any, event: Any) -> CallStart:
    """What the start of a call tells."""
    return CallStart(event.timestamp, provider_of(source), _model(source, event))


def completed(source: Any, event: Any) -> EndedCall:
    """The call that an `LLMCallCompletedEvent` reports."""
    usage = usage_of(as_today(event.usage, provider_of(source)))
    return _ended(source, event, usage=usage, no_usage=NoUsage.NOT_REPORTED if usage is None else None)


def failed(source: Any, event: Any) -> EndedCall:
    """The call that an `LLMCallFailedEvent` reports."""
    return _ended(source, event, no_usage=why(str(event.error)), error="LLMCallFailed")


def as_today(usage: Any, provider: Optional[str]) -> Any:
    """A usage in the form of today's CrewAI.

    Versions around 1.13 leave Anthropic's cache beside the input, and give Gemini's thoughts in the total only.
    """
    if not is_mapping(usage):
        return usage
    found: dict[Any, Any] = dict(usage)
    cached = found.get("cached_prompt_tokens") or 0
    if provider == "anthropic" and "input_tokens" in found and "cache_creation_tokens" not in found:
        found.update(
            input_tokens=found["input_tokens"] + cached, total_tokens=(found.get("total_tokens") or 0) + cached
        )
    if found.get("total_token_count") and "completion_tokens" not in found:
        found["completion_tokens"] = found["total_token_count"] - (found.get("prompt_token_count") or 0)
    return found


def why(error: str) -> NoUsage:
    """What the text of an error says about the tokens. CrewAI hands on no more than the text.

    An answer that does not fit the wanted schema is an error for CrewAI, and billed by the provider like any other.
    Where the text says neither that nor that there was no answer, nobody knows.
    """
    if _ANSWERED.search(error):
        return NoUsage.NOT_REPORTED
    if _TIMED_OUT.search(error):
        return NoUsage.ABORTED
    return NoUsage.FAILED if _REFUSED.search(error) else NoUsage.NOT_REPORTED


def provider_of(llm: Any) -> Optional[str]:
    """Who answers a model of CrewAI. OpenAI's client speaks to many."""
    provider = text(getattr(llm, "provider", None))
    host = urlsplit(str(getattr(llm, "base_url", None) or "")).hostname
    return provider_at(host, provider) if host is not None and provider == "openai" else provider


def _ended(source: Any, event: Any, **fields: Any) -> EndedCall:
    call = LLMCall(
        started_at=event.timestamp,
        ended_at=event.timestamp,
        provider=provider_of(source),
        requested_model=_model(source, event),
        response_id=text(getattr(event, "response_id", None)),
        **fields,
    )
    return EndedCall(call, text(event.agent_role), text(event.task_id), starting_run())


def _model(source: Any, event: Any) -> Optional[str]:
    return text(event.model) or text(getattr(source, "model", None))
