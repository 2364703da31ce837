"""Reading of streamed answers, event by event."""

from __future__ import annotations

from typing import Any, Optional, Protocol

from keito.metering.dialects import anthropic, openai
from keito.metering.dialects.reading import field, text
from keito.metering.dialects.report import Report

_RESPONSE_ENDS = {"response.completed", "response.incomplete", "response.failed"}


class StreamReader(Protocol):
    """Puts together what a stream reports.

    Attributes:
        response_id: The provider's id of the answer, once it is known.
        finished: Whether the model came to its end, so that nothing more is to be counted.
    """

    response_id: Optional[str]
    finished: bool

    def see(self, event: Any) -> bool:
        """Take one event; answers whether the report is complete with it."""
        ...

    def report(self, provider: Optional[str]) -> Report:
        """What is known so far."""
        ...


class ChatStream:
    """Chunks of a chat completion or of a text completion.

    With `stream_options={"include_usage": True}` the last one has the usage, and no choices:
    https://platform.openai.com/docs/api-reference/chat-streaming
    """

    def __init__(self) -> None:
        self.response_id: Optional[str] = None
        self.finished = False
        self._told: Any = None

    def see(self, event: Any) -> bool:
        """Take one chunk."""
        usage, choices = getattr(event, "usage", None), getattr(event, "choices", None)
        if self._told is None:
            self.response_id = text(getattr(event, "id", None))
        if self._told is None or usage is not None:
            self._told = event
        if choices and any(getattr(choice, "finish_reason", None) for choice in choices):
            self.finished = True
        return usage is not None and not choices

    def report(self, provider: Optional[str]) -> Report:
        """Some providers send running totals with every chunk: the last ones count."""
        return openai.chat(self._told, provider)


class ResponsesStream:
    """Events of the responses endpoint; the last one has the whole response.

    https://platform.openai.com/docs/api-reference/responses-streaming
    """

    def __init__(self) -> None:
        self.response_id: Optional[str] = None
        self.finished = False
        self._response: Any = None

    def see(self, event: Any) -> bool:
        """Take one event."""
        is_last = getattr(event, "type", None) in _RESPONSE_ENDS
        if self._response is None or is_last:
            self._response = getattr(event, "response", None) or self._response
            self.response_id = text(field(self._response, "id"))
        self.finished = self.finished or is_last
        return is_last

    def report(self, provider: Optional[str]) -> Report:
        """What the last response said."""
        return openai.responses(self._response, provider)


class MessageStream:
    """Events of Anthropic's messages: the start has the input, the running totals come with the deltas.

    https://docs.anthropic.com/en/docs/build-with-claude/streaming#event-types
    """

    def __init__(self) -> None:
        self.response_id: Optional[str] = None
        self.finished = False
        self._message: Any = None
        self._usage: dict[str, Any] = {}

    def see(self, event: Any) -> bool:
        """Take one event."""
        kind = getattr(event, "type", None)
        if kind == "message_start":
            self._message = field(event, "message")
            self.response_id = text(field(self._message, "id"))
            self._usage = anthropic.merged(field(self._message, "usage"), None)
        elif kind == "message_delta":
            self._usage = anthropic.merged(self._usage, field(event, "usage"))
            self.finished = self.finished or field(event, "delta", "stop_reason") is not None
        return kind == "message_stop"

    def report(self, provider: Optional[str]) -> Report:  # noqa: ARG002 - all readers take it
        """What was counted so far."""
        return anthropic.about(self._message, self._usage)
