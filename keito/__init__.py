"""The Keito API from Python, and the billing of AI agents.

Every public name is loaded when it is first used (PEP 562), so that `import keito` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keito.client import AsyncKeito, Keito
    from keito.core.errors import (
        KeitoApiError,
        KeitoAuthError,
        KeitoConflictError,
        KeitoConnectionError,
        KeitoError,
        KeitoForbiddenError,
        KeitoNotFoundError,
        KeitoRateLimitError,
        KeitoServerError,
        KeitoTimeoutError,
        KeitoValidationError,
    )
    from keito.types.agent_metadata import AgentMetadata, OutcomeTypes

__version__ = "1.0.0.dev0"

__all__ = [
    "AgentMetadata",
    "AsyncKeito",
    "Keito",
    "KeitoApiError",
    "KeitoAuthError",
    "KeitoConflictError",
    "KeitoConnectionError",
    "KeitoError",
    "KeitoForbiddenError",
    "KeitoNotFoundError",
    "KeitoRateLimitError",
    "KeitoServerError",
    "KeitoTimeoutError",
    "KeitoValidationError",
    "OutcomeTypes",
    "__version__",
]


def _home(name: str) -> str:
    if name in ("Keito", "AsyncKeito"):
        return "keito.client"
    if name in ("AgentMetadata", "OutcomeTypes"):
        return "keito.types.agent_metadata"
    return "keito.core.errors"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'keito' has no attribute {name!r}")
    value = getattr(import_module(_home(name)), name)
    globals()[name] = value
    return value


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})
