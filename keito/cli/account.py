"""The account that commands work for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keito.client import Keito


def client_of_environment(timeout: float = 10.0) -> Keito:
    """The client that the environment describes. It gives up soon: somebody is waiting.

    Raises:
        KeitoAuthError: A credential is missing; it says which variable to set.
        KeitoValidationError: KEITO_BASE_URL is not valid.
    """
    from keito.client import Keito  # noqa: PLC0415 - brings httpx and pydantic along

    return Keito(timeout=timeout, max_retries=1)
