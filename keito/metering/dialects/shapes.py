"""Recognising what kind of answer something is. A shape is taken for what its names can only mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Optional

from keito.metering.dialects import anthropic, bedrock, crewai, gemini, langchain, openai, otel
from keito.metering.dialects.reading import field, mapping, text
from keito.metering.dialects.report import Report
from keito.metering.usage import Usage

Reader = Callable[[object, Optional[str]], Report]


def report_of(answer: object, provider: Optional[str] = None) -> Report:
    """What the answer of a model call reports, whoever gave it.

    Args:
        answer: A raw answer of OpenAI (chat, responses, embeddings) or who speaks its language, Anthropic, Gemini,
            Bedrock or Mistral; a LangChain message or its `usage_metadata`; the usage of a CrewAI event; attributes
            of an OpenTelemetry span; or only the usage of any of them. Dictionaries and objects will do.
        provider: Who gave it, where that is known. It tells whose `cost` is in dollars.

    Returns:
        What was recognised; an empty report for anything else. Nothing is raised, whatever `answer` is.
    """
    if any(str(name).startswith(("gen_ai.", "llm.token_count.", "llm.usage.")) for name in mapping(answer)):
        return otel.span(answer, provider)
    usage = field(answer, "usage")
    reader = _reader_of_answer(answer, usage)
    if reader is not None:
        return reader(answer, provider)
    read = usage_reader(answer)  # a usage by itself
    return Report() if read is None else Report(usage=read(answer))


def usage_of(answer: object, provider: Optional[str] = None) -> Optional[Usage]:
    """The tokens that `answer` reports, or `None`; see `report_of`."""
    return report_of(answer, provider).usage


def usage_reader(usage: object) -> Optional[Callable[[object], Optional[Usage]]]:
    """What reads a usage of this shape, or `None` for an unknown one."""
    if _has(usage, "inputTokens"):
        return bedrock.converse_usage
    if _has(usage, "cached_prompt_tokens", "cache_creation_tokens"):
        return crewai.event_usage
    if _has(usage, "generation_token_count"):
        return bedrock.llama_usage
    if _has(usage, "promptTokenCount", "prompt_token_count"):
        return gemini.content_usage
    if _has(usage, "prompt_tokens"):
        return openai.chat_usage
    return _input_tokens_reader(usage) if _has(usage, "input_tokens") else None


def _input_tokens_reader(usage: object) -> Callable[[object], Optional[Usage]]:
    """Four dialects have `input_tokens`; without any details all of them mean the same."""
    if _has(usage, "input_token_details", "output_token_details"):
        return langchain.metadata_usage
    if _has(usage, "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"):
        return anthropic.message_usage
    if _has(usage, "input_tokens_details", "total_tokens"):
        return openai.responses_usage
    return anthropic.message_usage


def _reader_of_answer(answer: object, usage: object) -> Optional[Reader]:
    if _has(answer, "usage_metadata", "usageMetadata"):
        is_message = _has(field(answer, "usage_metadata"), "input_tokens")
        return langchain.message if is_message else gemini.content
    if _has(field(answer, "metadata", "usage"), "inputTokens"):
        return bedrock.converse
    if text(field(answer, "type") or "") and _has(field(answer, "response"), "usage"):
        return _responses_event
    if usage is None and _has(field(answer, "data"), "usage"):
        return _mistral_event
    return None if usage is None else _READERS.get(usage_reader(usage), _only_usage)


def _responses_event(event: object, provider: Optional[str]) -> Report:
    return openai.responses(field(event, "response"), provider)


def _mistral_event(event: object, provider: Optional[str]) -> Report:
    """An event of a stream of Mistral's own client, around the chunk."""
    chunk = field(event, "data")
    reader = _reader_of_answer(chunk, field(chunk, "usage"))
    return Report() if reader is None else reader(chunk, provider)


def _only_usage(answer: object, provider: Optional[str]) -> Report:  # noqa: ARG001 - all dialects take it
    usage = field(answer, "usage")
    read = usage_reader(usage)
    return Report(usage=None if read is None else read(usage), response_id=text(field(answer, "response_id")))


def _chat(answer: object, provider: Optional[str]) -> Report:
    kind = text(field(answer, "object"))
    if kind == "list":
        return openai.embeddings(answer, provider)
    return openai.text_completion(answer, provider) if kind == "text_completion" else openai.chat(answer, provider)


_READERS: Mapping[Any, Reader] = {
    anthropic.message_usage: anthropic.message,
    bedrock.converse_usage: bedrock.converse,
    openai.chat_usage: _chat,
    openai.responses_usage: openai.responses,
}


def _has(source: object, *names: str) -> bool:
    return any(field(source, name) is not None for name in names)
