"""Overrides for one call."""

from collections.abc import Mapping
from typing import Optional

from typing_extensions import TypedDict


class RequestOptions(TypedDict, total=False):
    """Overrides for one call.

    Attributes:
        timeout: Seconds for each attempt as a whole; `None` waits for ever.
        max_retries: How often a failed attempt is repeated, 0 to never.
        additional_headers: Sent with the request; they win over the client's own.
        idempotency_key: Sent as `Idempotency-Key`; with it a POST is retried as a GET would be.
    """

    timeout: Optional[float]
    max_retries: int
    additional_headers: Mapping[str, str]
    idempotency_key: str
