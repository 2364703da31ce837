"""Names of providers and models, brought to the form that the price table knows."""

from __future__ import annotations

import re
from typing import Optional

_PREFIXES = {
    "anthropic": "anthropic",
    "azure": "azure",
    "azure_ai": "azure",
    "bedrock": "aws",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "google": "google",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together": "together",
    "together_ai": "together",
    "vertex_ai": "google",
    "xai": "x-ai",
}
"""What stands before a slash in the names of gateways such as LiteLLM, and the provider that it means."""

_PROVIDERS = {"azure_ai": "azure", "x_ai": "x-ai", "xai": "x-ai", "gemini": "google", "bedrock": "aws"}
"""Providers that frameworks name otherwise than the price table does, beyond the aliases that it knows itself."""

_GATEWAYS = {None, "litellm", "openai"}
"""Providers under whose name a gateway may stand. Others (Groq, Together, OpenRouter) have slashes in real ids."""

_FINE_TUNED = re.compile(r"(^|[/.:])ft[:-]|custom-model|imported-model", re.IGNORECASE)


def is_fine_tuned(model: str) -> bool:
    """Whether the name is of a fine-tuned or imported model, which costs otherwise than its base model."""
    return _FINE_TUNED.search(model) is not None


def normalise(provider: Optional[str], model: str) -> tuple[Optional[str], str]:
    """The provider and model that the price table knows under these names.

    >>> normalise("openai", "azure/gpt-4o")
    ('azure', 'gpt-4o')
    >>> normalise("google_genai", "models/gemini-2.5-pro")
    ('google_genai', 'gemini-2.5-pro')
    >>> normalise("groq", "openai/gpt-oss-120b")
    ('groq', 'openai/gpt-oss-120b')
    """
    host = provider.strip().lower() if provider else None
    host = _PROVIDERS.get(host, host) if host else None
    name = re.sub(r"^(models|publishers/[^/]+/models)/", "", model.strip())
    prefix, slash, rest = name.partition("/")
    meant = _PREFIXES.get(prefix.lower()) if slash else None
    if meant is not None and (host in _GATEWAYS or host == meant):
        return meant, rest
    return host, name
