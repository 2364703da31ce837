"""What a call is, before anybody performs it. Nothing in this module does I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable, Generic, Optional, TypeVar
from urllib.parse import urlencode

from keito.core.reply import Reply
from keito.types.request_options import RequestOptions

T_co = TypeVar("T_co", covariant=True)

API_ROOT = "/api/v2"
IDEMPOTENCY_HEADERS = ("idempotency-key", "x-idempotency-key")


@dataclass(frozen=True)
class Call(Generic[T_co]):
    """One request, and how to read its answer.

    Attributes:
        repeatable: Whether the method alone makes it safe to send it twice.
        prefetch: For a list, how many pages to fetch ahead.
    """

    method: str
    path: str
    parse: Callable[[Reply], T_co]
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Optional[bytes] = None
    options: RequestOptions = field(default_factory=RequestOptions)
    repeatable: bool = True
    prefetch: int = 0

    @property
    def name(self) -> str:
        """The call as messages name it, such as `POST /api/v2/expenses`."""
        return f"{self.method} {API_ROOT}{self.path}"

    @property
    def target(self) -> str:
        """Path and query as they are sent."""
        path = API_ROOT + self.path
        return f"{path}?{urlencode(self.query)}" if self.query else path

    @property
    def retryable(self) -> bool:
        """Whether the call may be sent again when the first attempt's fate is unknown."""
        keys = (value.strip() for name, value in self.headers.items() if name.lower() in IDEMPOTENCY_HEADERS)
        return self.repeatable or any(keys)

    @property
    def headers(self) -> dict[str, str]:
        """The caller's headers for this call."""
        headers = dict(self.options.get("additional_headers") or {})
        key = self.options.get("idempotency_key")
        return headers if key is None else {**headers, "Idempotency-Key": key}
