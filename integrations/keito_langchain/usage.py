"""What LangChain says about a model call, in keito's terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Optional

from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult

from keito.metering import Usage
from keito.metering.dialects import langchain, usage_of
from keito_langchain.counted import plain_usage
from keito_langchain.raw import cost_in, raw_usage, tier_in, with_kinds

_NOTHING: dict[str, Any] = {}
_SHORTEST_NAME = 3


@dataclass(slots=True)
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
        cost: What the provider says that it cost, in US dollars.
    """

    usage: Optional[Usage] = None
    provider: Optional[str] = None
    model: Optional[str] = None
    tier: Optional[str] = None
    cached: bool = False
    started: bool = False
    counted_elsewhere: bool = False
    response_id: Optional[str] = None
    cost: Optional[Decimal] = None


def read_answer(response: Optional[LLMResult]) -> Answer:
    """Read the result that `on_llm_end` and `on_llm_error` bring. Nothing in it is changed.

    Only the first generation is read: with `n=2` both carry the same usage.
    """
    if response is None:
        return Answer()
    parts = response.generations
    generation = parts[0][0] if parts and parts[0] else _first(response)
    message: Optional[BaseMessage] = getattr(generation, "message", None)
    about: dict[str, Any] = message.response_metadata if message is not None else _NOTHING
    output: dict[str, Any] = response.llm_output or _NOTHING
    counted: Optional[Mapping[str, Any]] = getattr(message, "usage_metadata", None)
    plain = plain_usage(counted)
    raw = raw_usage(about, output)
    answer = Answer(
        plain or (langchain.metadata_usage(counted) if counted else usage_of(raw) if raw else None),
        _name(about.get("model_provider")),
        _name(about.get("model_name") or about.get("model") or output.get("model_name") or output.get("model")),
        _name(about.get("service_tier")) or (None if plain is not None else langchain.tier_of(counted)),
        counted is not None and "total_cost" in counted and _is_cached(counted),
        generation is not None and not ("status_code" in about and _is_refusal(about)),
        output.get("token_usage") == {},
        _response_id(message, about, output),
    )
    if raw or "cost" in about:
        _add(answer, raw, about)
    return answer


def _add(answer: Answer, raw: object, about: Mapping[str, Any]) -> None:
    """Add what only the provider's own report says."""
    answer.usage = with_kinds(answer.usage, raw)
    answer.tier = answer.tier or tier_in(raw)
    answer.cost = cost_in(raw, about)


def _name(value: object) -> Optional[str]:
    return _once(value) if isinstance(value, str) else None


@lru_cache(maxsize=1024)
def _once(name: str) -> str:
    """A name that LangChain has joined with itself: it does so where several chunks of a stream say it."""
    length = (name + name).find(name, 1)
    return name[:length] if length >= _SHORTEST_NAME else name


def _first(response: LLMResult) -> Any:
    for part in response.generations:
        for generation in part:
            return generation
    return None


def _response_id(message: Optional[BaseMessage], about: Mapping[str, Any], output: Mapping[str, Any]) -> Optional[str]:
    own = message.id if message is not None else None
    if (own is None or own.startswith("lc_run--")) and not about.get("id") and not output.get("id"):
        return None  # only LangChain's own id: the usual case, decided quickly
    return langchain.response_id(message, output)


def _is_refusal(about: Mapping[str, Any]) -> bool:
    """Whether LangChain made the message up from an error's HTTP response, to tell tracers of it."""
    status = about.get("status_code")
    return isinstance(status, int) and status >= 400


def _is_cached(counted: Mapping[str, Any]) -> bool:
    """Whether LangChain's cache answered. It then repeats the usage of the first call, with a `total_cost` of 0.

    It writes that also where there was no usage. The id of another run says nothing: a model may hand on the message of
    another one.
    """
    return bool(counted["total_cost"] == 0)
