"""The endpoints whose calls are metered. Others pass as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Optional

from keito.metering.dialects import anthropic, openai
from keito.metering.dialects.report import Report
from keito.metering.wrappers.readers import ChatStream, MessageStream, ResponsesStream, StreamReader

_INCLUDE_USAGE = 'pass stream_options={"include_usage": True} to have it'
_BACKGROUND = "answers of background=True have none yet when they are created"


@dataclass(frozen=True)
class Endpoint:
    """How the answers of one endpoint are read.

    Attributes:
        operation: What it does, as OpenTelemetry names it.
        read: Reads a whole answer.
        stream: Makes a reader of a streamed answer.
        hint: What helps when an answer reports no usage.
    """

    operation: str
    read: Callable[[object, Optional[str]], Report]
    stream: Callable[[], StreamReader]
    hint: str = ""


_CHAT = Endpoint("chat", openai.chat, ChatStream, f"A streamed chat reports it only on request: {_INCLUDE_USAGE}")
_TEXT = Endpoint("text_completion", openai.text_completion, ChatStream, f"Streams: {_INCLUDE_USAGE}")
_RESPONSES = Endpoint("chat", openai.responses, ResponsesStream, f"Note: {_BACKGROUND}")
_EMBEDDINGS = Endpoint("embeddings", openai.embeddings, ChatStream)
_MESSAGES = Endpoint("chat", anthropic.message, MessageStream)

ENDPOINTS: Mapping[str, Mapping[str, Endpoint]] = {
    "openai": {
        "/chat/completions": _CHAT,
        "/completions": _TEXT,
        "/embeddings": _EMBEDDINGS,
        "/responses": _RESPONSES,
        "/responses/compact": _RESPONSES,
    },
    "anthropic": {"/v1/messages": _MESSAGES},
}
"""By client library and by path, as both libraries name it before they add the base URL."""
