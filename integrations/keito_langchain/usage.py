"""What LangChain says about a model call, in keito's terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional
from uuid import UUID

from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult

from keito.metering import Usage
from keito.metering.dialects import langchain, usage_of


@dataclass(frozen=True)
class Answer:
    """What the end of a model call told.

    Attributes:
        usage: The tokens, if any were reported.
        provider: Who served it, if the answer says so.
        model: The served model.
        tier: The service tier.
        cached: The answer came from LangChain's response cache.
        started: There was an answer, whole or in parts.
        counted_elsewhere: The usage is an empty dictionary, as on all but the first prompt of a text model.
        response_id: The provider's id of the answer. Streams of many models have none.
    """

    usage: Optional[Usage] = None
    provider: Optional[str] = None
    model: Optional[str] = None
    tier: Optional[str] = None
    cached: bool = False
    started: bool = False
    counted_elsewhere: bool = False
    response_id: Optional[str] = None


def read_answer(response: Optional[LLMResult], run_id: UUID) -> Answer:
    """Read the result that `on_llm_end` and `on_llm_error` bring. Nothing in it is changed.

    Only the first generation is read: with `n=2` both carry the same usage.
    """
    if response is None:
        return Answer()
    generation = next((item for part in response.generations for item in part), None)
    message: Optional[BaseMessage] = getattr(generation, "message", None)
    about: dict[str, Any] = message.response_metadata if message is not None else {}
    output: dict[str, Any] = response.llm_output or {}
    counted: Optional[Mapping[str, Any]] = getattr(message, "usage_metadata", None)
    raw = about.get("token_usage") or about.get("usage") or output.get("token_usage") or output.get("usage")
    return Answer(
        usage=from_usage_metadata(counted) if counted else from_token_usage(raw),
        provider=about.get("model_provider"),
        model=about.get("model_name") or about.get("model") or output.get("model_name") or output.get("model"),
        tier=about.get("service_tier") or langchain.tier_of(counted),
        cached=_is_cached(message, counted, run_id),
        started=generation is not None and not _is_refusal(about),
        counted_elsewhere=output.get("token_usage") == {},
        response_id=langchain.response_id(message, output),
    )


def from_usage_metadata(counted: Mapping[str, Any]) -> Optional[Usage]:
    """Tokens from `AIMessage.usage_metadata`, whose details are parts of the two sums; `None` if all are zero."""
    return langchain.metadata_usage(counted)


def from_token_usage(raw: object) -> Optional[Usage]:
    """Tokens from a provider's own dictionary, in whichever dialect it is."""
    return usage_of(raw)


def _is_refusal(about: Mapping[str, Any]) -> bool:
    """Whether LangChain made the message up from an error's HTTP response, to tell tracers of it."""
    status = about.get("status_code")
    return isinstance(status, int) and status >= 400


def _is_cached(message: Optional[BaseMessage], counted: Optional[Mapping[str, Any]], run_id: UUID) -> bool:
    """Whether LangChain's cache answered. It then repeats the usage of the first call, with a `total_cost` of 0.

    Without usage only the message's id tells: `lc_run--` and the id of another run.
    """
    if counted:
        return "total_cost" in counted and counted["total_cost"] == 0
    text = (message.id or "") if message is not None else ""
    return text.startswith("lc_run--") and str(run_id) not in text
