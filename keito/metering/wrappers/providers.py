"""Who answers a client: the same client library speaks to many providers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Optional

_HOSTS = (
    (r"(^|\.)openai\.azure\.com$|(^|\.)azure\.com$|(^|\.)cognitiveservices\.azure\.(com|us)$", "azure"),
    (r"(^|\.)openrouter\.ai$", "openrouter"),
    (r"(^|\.)x\.ai$", "xai"),
    (r"(^|\.)groq\.com$", "groq"),
    (r"(^|\.)deepseek\.com$", "deepseek"),
    (r"(^|\.)mistral\.ai$", "mistral"),
    (r"(^|\.)perplexity\.ai$", "perplexity"),
    (r"(^|\.)together\.(xyz|ai)$", "together"),
    (r"(^|\.)fireworks\.ai$", "fireworks"),
    (r"(^|\.)cerebras\.ai$", "cerebras"),
    (r"(^|\.)moonshot\.(ai|cn)$", "moonshotai"),
    (r"(^|\.)cohere\.(ai|com)$", "cohere"),
    (r"(^|-)aiplatform\.googleapis\.com$|^aiplatform\.[a-z]+\.rep\.googleapis\.com$", "google_vertexai"),
    (r"^generativelanguage\.googleapis\.com$", "google"),
    (r"^bedrock[a-z-]*\..*\.amazonaws\.com(\.cn)?$|^bedrock[a-z-]*\..*\.api\.aws$", "bedrock"),
)

_AREA_OF_VERTEX = re.compile(r"^(?:([a-z0-9-]+)-aiplatform|aiplatform\.([a-z]+)\.rep)\.googleapis\.com$")


@lru_cache(maxsize=256)
def provider_at(host: str, library: str) -> str:
    """The provider that answers at `host`, by the names that the price table knows.

    Any other host, such as a proxy, is taken for what the client library is made for. A model that this provider does
    not have is unknown then, rather than priced as somebody else's of the same name.
    """
    return next((name for pattern, name in _HOSTS if re.search(pattern, host.lower())), library)


@lru_cache(maxsize=256)
def area_at(host: str, library: str) -> Optional[str]:
    """The area to which a host of Vertex AI keeps Claude, which is dearer there; `None` where that changes nothing.

    https://docs.claude.com/en/api/claude-on-vertex-ai: the answers do not name it.
    """
    found = _AREA_OF_VERTEX.match(host.lower()) if library == "anthropic" else None
    return (found[1] or found[2]) if found is not None else None
