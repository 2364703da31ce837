"""What the API answers when it refuses a request."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import responses
from typing import Any, Optional

WORDS = {
    400: ("bad request", "The request is not valid"),
    401: ("unauthorized", "Invalid API key"),
    403: ("forbidden", "You do not have permission to do this"),
    404: ("not found", "Resource not found"),
    405: ("method not allowed", "This path does not support the method"),
    409: ("conflict", "The request conflicts with the state of the resource"),
    429: ("rate limited", "Too many requests"),
    503: ("service unavailable", "The service is temporarily at capacity"),
}


def error_body(status: int, description: Optional[str] = None, **extra: Any) -> dict[str, Any]:
    """The JSON that belongs to `status`: words and a text, as the API writes its errors."""
    phrase = responses.get(status, "error")
    error, text = WORDS.get(status, (phrase.lower(), phrase))
    return {"error": error, "error_description": description or text, **extra}


class ApiError(Exception):
    """A refusal, raised by a rule and turned into the answer by the application.

    Attributes:
        status: the HTTP status.
        body: the JSON of the answer.
        headers: further headers, such as `Retry-After`.
    """

    def __init__(
        self,
        status: int,
        description: Optional[str] = None,
        *,
        headers: Optional[Mapping[str, str]] = None,
        **extra: Any,
    ) -> None:
        self.status = status
        self.body = error_body(status, description, **extra)
        self.headers = dict(headers or {})
        super().__init__(self.body["error_description"])


def bad_request(description: str) -> ApiError:
    """400: the request itself is wrong."""
    return ApiError(400, description)


def forbidden(description: str) -> ApiError:
    """403: the caller may not do it, or the record is read-only."""
    return ApiError(403, description)


def not_found() -> ApiError:
    """404, also for what belongs to another company: the API does not tell the two apart."""
    return ApiError(404)


def conflict(description: str, **extra: Any) -> ApiError:
    """409: the state of the record does not allow it."""
    return ApiError(409, description, **extra)
