"""What part a span plays: a model call, work around model calls, or something else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_INFERENCE = frozenset(
    {
        "chat",
        "completion",
        "embedding",
        "embeddings",
        "generate_content",
        "text_completion",
        # Semantic Kernel, today and before
        "text_completions",
        "chat.completions",
        "chat.streaming_completions",
        "text.completions",
        "text.streaming_completions",
    }
)
_SETUP = "create_agent"
"""An agent is made, which is no work yet: OpenLLMetry has a trace of its own for that."""

_ATTEMPT = "pydantic_ai.model_request.attempt"
"""What pydantic-ai's `FallbackModel` tried in vain; its span lies in that of the call, which tells of the answer."""

_OPEN_INFERENCE = frozenset({"LLM", "EMBEDDING"})

_PREFIXES = ("gen_ai.", "llm.", "openinference.", "traceloop.")
_COUNTS = ("gen_ai.usage.", "llm.token_count.", "llm.usage.")
_MODELS = frozenset({"gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "llm.request.model"})

_SCOPES = (
    "agent_framework",
    "crewai",
    "gcp.vertex.agent",
    "google.adk",
    "langsmith",
    "openinference.",
    "pydantic-ai",
    "semantic_kernel",
    "strands",
)
_INSTRUMENTED = (
    "anthropic",
    "bedrock",
    "cohere",
    "crewai",
    "google_gen",
    "groq",
    "haystack",
    "langchain",
    "llamaindex",
    "mcp",
    "mistralai",
    "ollama",
    "openai",
    "together",
    "vertexai",
)


Role = Literal["inference", "work", "unknown", "other"]
"""What part a span plays.

`inference` is one call of a model. `work` is an agent, a tool, a chain: it may repeat the sums of the calls in it.
`unknown` is one of both: many instrumentations say it only when the span ends. Everything else is `other`, and
transparent: HTTP requests, queries, the program's own spans.
"""


def role_of(about: Mapping[str, Any]) -> Role:
    """The part that a span with these attributes plays, as far as they say it."""
    operation = about.get("gen_ai.operation.name") or about.get("llm.request.type")
    if isinstance(operation, str):
        return "inference" if operation in _INFERENCE else "work" if operation != _SETUP else "other"
    kind = about.get("openinference.span.kind")
    if isinstance(kind, str):
        return "inference" if kind.upper() in _OPEN_INFERENCE else "work"
    if "traceloop.span.kind" in about:
        return "work"
    # Older instrumentations name no operation; and a span with too many attributes loses its first ones.
    return "inference" if _has_model(about) and any(name.startswith(_COUNTS) for name in about) else "other"


def _has_model(about: Mapping[str, Any]) -> bool:
    return not _MODELS.isdisjoint(about)


def is_attempt(about: Mapping[str, Any]) -> bool:
    """Whether a model call lies beside the one that its span is in, and is no part of it."""
    return _ATTEMPT in about


def role_at_start(scope: str, span: ReadableSpan, about: Mapping[str, Any]) -> Role:
    """The part of a span that starts, by its attributes, by who made it and, for what is none, by its name."""
    role = role_of(about) if about else "other"
    if role != "other" or span.name.startswith(_SETUP):
        return role
    if is_of_agents(scope):
        return "unknown"
    for attribute in about:
        if attribute.startswith(_PREFIXES):
            return "unknown"
    return "other"


@lru_cache(maxsize=1024)
def is_of_agents(scope: str) -> bool:
    """Whether an instrumentation makes spans of agents and models."""
    if scope.startswith(_SCOPES):
        return True
    return scope.startswith("opentelemetry.instrumentation.") and any(name in scope for name in _INSTRUMENTED)
