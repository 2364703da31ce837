"""An answer together with what carried it."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class RawResponse(Generic[T_co]):
    """What the methods of `with_raw_response` return.

    Attributes:
        data: The parsed answer.
        status_code: The HTTP status.
        headers: The answer's headers.
        raw_response: The answer as httpx read it; its request carries no credentials.
    """

    data: T_co
    status_code: int
    headers: httpx.Headers
    raw_response: httpx.Response
